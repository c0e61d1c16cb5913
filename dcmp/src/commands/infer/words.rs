//! What adapters take, from files and arguments: images, tables, texts.

use std::{fs, path::PathBuf};

use anyhow::Result;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{
    Map, Value, json,
    value::{RawValue, to_raw_value},
};

use crate::exit::usage;

/// Images as the platform takes them: one, or a list.
pub(super) fn images(paths: &[PathBuf]) -> Result<Box<RawValue>> {
    let mut images = Vec::with_capacity(paths.len());
    for path in paths {
        let bytes = fs::read(path)
            .map_err(|error| usage(format!("cannot read {}: {error}", path.display())))?;
        images.push(STANDARD.encode(bytes));
    }
    Ok(to_raw_value(&match images.as_slice() {
        [one] => json!({ "image": one }),
        _ => json!({ "images": images }),
    })?)
}

/// Texts as the platform takes them: one, or a list.
pub(super) fn texts(texts: &[String]) -> Result<Box<RawValue>> {
    Ok(to_raw_value(&match texts {
        [one] => json!({ "text": one }),
        _ => json!({ "texts": texts }),
    })?)
}

/// A table whose first line names its columns.
#[derive(Debug)]
pub(super) struct Table {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Reads CSV (RFC 4180); the error is a sentence without a subject.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let broken = |error: csv::Error| format!("is no CSV ({error})");
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let names: Vec<String> =
            reader.headers().map_err(broken)?.iter().map(str::to_owned).collect();
        let rows = reader
            .records()
            .map(|record| Ok(record.map_err(broken)?.iter().map(str::to_owned).collect()))
            .collect::<Result<Vec<_>, String>>()?;
        if rows.is_empty() {
            return Err("has no rows below the names of its columns".to_owned());
        }
        Ok(Self { names, rows })
    }

    /// The rows by name; what is a number and what is a text the schema knows.
    pub(super) fn rows(&self, schema: Option<&Value>) -> Result<Box<RawValue>> {
        let columns = Columns::new(&self.names, schema);
        let row = |cells: &Vec<String>| columns.row(cells.iter().map(String::as_str), "");
        let rows: Vec<_> = self.rows.iter().map(row).collect();
        Ok(to_raw_value(&json!({ "rows": rows }))?)
    }
}

/// The columns of a table: their names, and which hold texts.
pub(in crate::commands) struct Columns(Vec<(String, bool)>);

impl Columns {
    /// By the schema of what the rows are for.
    pub(in crate::commands) fn new(names: &[String], schema: Option<&Value>) -> Self {
        Self(names.iter().map(|name| (name.clone(), is_text(schema, name))).collect())
    }

    /// A row by name, without the column `left_out`.
    pub(in crate::commands) fn row<'a>(
        &self,
        cells: impl Iterator<Item = &'a str>,
        left_out: &str,
    ) -> Map<String, Value> {
        let named = self.0.iter().zip(cells);
        // an empty cell is a missing value
        let given = named.filter(|((name, _), cell)| !cell.is_empty() && name != left_out);
        given.map(|((name, is_text), cell)| (name.clone(), value(cell, *is_text))).collect()
    }
}

/// Whether a column holds texts, even if they look like numbers.
fn is_text(schema: Option<&Value>, name: &str) -> bool {
    let property = schema.map(|schema| &schema["properties"][name]);
    property.is_some_and(|property| {
        let listed = property["enum"].as_array();
        property["type"] == "string"
            || listed.is_some_and(|values| values.iter().any(Value::is_string))
    })
}

fn value(cell: &str, is_text: bool) -> Value {
    let plain =
        || serde_json::from_str(cell).ok().filter(|v: &Value| v.is_number() || v.is_boolean());
    match is_text {
        true => None,
        false => plain().or_else(|| match cell.to_ascii_lowercase().as_str() {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            // as 1. and .5, which JSON does not have
            _ => cell
                .parse::<f64>()
                .ok()
                .and_then(|n| serde_json::Number::from_f64(n).map(Value::Number)),
        }),
    }
    .unwrap_or_else(|| Value::String(cell.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn rows(text: &str, schema: &Value) -> Value {
        let rows = Table::parse(text).unwrap().rows(Some(schema)).unwrap();
        serde_json::from_str(rows.get()).unwrap()
    }

    #[test]
    fn cells_have_the_types_of_their_columns() {
        let schema = json!({ "properties": {
            "size": { "enum": ["1", "2"] }, "name": { "type": "string" },
        }});
        let text =
            "\u{feff}width, size,name,open,more\n1.50,2,7,TRUE,.5\n-3,1,\"a, \"\"b\"\"\",false,\n";
        assert_eq!(
            rows(text, &schema),
            json!({ "rows": [
                { "width": 1.5, "size": "2", "name": "7", "open": true, "more": 0.5 },
                { "width": -3, "size": "1", "name": "a, \"b\"", "open": false },
            ]})
        );
        assert_eq!(rows("a\nred\n", &Value::Null), json!({ "rows": [{ "a": "red" }] }));
    }

    #[test]
    fn odd_tables_are_explained() {
        for (text, word) in [("a,b\n1\n", "is no CSV"), ("a,b\n", "no rows"), ("", "no rows")] {
            let fault = Table::parse(text).unwrap_err();
            assert!(fault.contains(word), "{fault}");
        }
    }
}
