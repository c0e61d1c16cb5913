//! What an adapter makes of a result, as a table: predictions, decisions, values.

use serde_json::{Map, Value, value::RawValue};

use crate::output::{self, Align};

/// The columns in which people look first.
pub(super) const FIRST: [&str; 5] = ["label", "score", "index", "positive", "value"];

/// The answers as rows, numbered if they are a list; `None` for tensors and what is not known.
pub(super) fn table(result: &RawValue) -> Option<String> {
    let (answers, numbered) = match serde_json::from_str(result.get()).ok()? {
        Value::Array(answers) => (answers, true),
        one => (vec![one], false),
    };
    let mut rows: Vec<(usize, Map<String, Value>)> = Vec::new();
    for (number, answer) in answers.into_iter().enumerate() {
        let Value::Object(mut fields) = answer else { return None };
        if fields.contains_key("data") || fields.contains_key("outputs") {
            return None;
        }
        let several = match fields.remove("predictions") {
            Some(Value::Array(predictions)) => predictions,
            Some(_) => return None,
            None => vec![Value::Object(fields)],
        };
        for one in several {
            let Value::Object(one) = one else { return None };
            rows.push((number + 1, one));
        }
    }
    let mut names: Vec<&str> = FIRST
        .into_iter()
        .filter(|name| rows.iter().any(|(_, row)| row.contains_key(*name)))
        .collect();
    for name in rows.iter().flat_map(|(_, row)| row.keys()) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let is_text =
        |name: &str| rows.iter().any(|(_, row)| row.get(name).is_some_and(Value::is_string));
    let number = numbered.then_some(("row", Align::Right));
    let named =
        names.iter().map(|name| (*name, if is_text(name) { Align::Left } else { Align::Right }));
    let header: Vec<_> = number.into_iter().chain(named).collect();
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|(number, row)| {
            let number = numbered.then(|| number.to_string());
            number.into_iter().chain(names.iter().map(|name| cell(row.get(*name)))).collect()
        })
        .collect();
    Some(output::table(&header, &cells))
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None => output::or_dash(None),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn shown(json: &str) -> Option<String> {
        table(&RawValue::from_string(json.to_owned()).unwrap())
    }

    #[test]
    fn answers_are_rows() {
        let one = r#"{"predictions":[{"label":"cat","index":1,"score":0.5},{"label":"dog","index":0,"score":0.25}]}"#;
        assert_eq!(
            shown(one).unwrap(),
            "label  score  index\ncat      0.5      1\ndog     0.25      0"
        );
        let list = r#"[{"value":1.5,"low":1},{"value":-2,"low":[3,4]}]"#;
        assert_eq!(shown(list).unwrap(), "row  value    low\n  1    1.5      1\n  2     -2  [3,4]");
        let decision = r#"{"label":"spam","score":0.75,"positive":true}"#;
        assert_eq!(shown(decision).unwrap(), "label  score  positive\nspam    0.75      true");
    }

    #[test]
    fn tensors_are_not_words() {
        for json in [r#"{"data":[1],"shape":[1]}"#, r#"{"outputs":{}}"#, "[1]", "1"] {
            assert_eq!(shown(json), None, "{json}");
        }
    }
}
