//! JSON Schemas as their owners give them: whether one is a schema, whole in itself, and cheap
//! enough to be compiled.

use jsonschema::{PatternOptions, Validator, error::ValidationErrorKind};
use serde_json::{Map, Value};

use crate::{Error, Result, schema::cost};

/// How deep a schema may be nested: an item of the table bears 32 levels, its own included.
const MAX_NESTING: usize = 24;

/// What of a schema is compiled, in bytes of JSON: all but `x-adapter`, whose tokenizer may be large.
const MAX_COMPILED: usize = 256 * 1024;

/// How many regular expressions a schema may hold, and what each may take compiled, in bytes.
const MAX_PATTERNS: usize = 100;
const MAX_PATTERN: usize = 256 * 1024;

/// The keyword with options of the adapters; of no meaning to JSON Schema.
const ADAPTER: &str = "x-adapter";

/// Whether a field's value is a JSON Schema that can be kept and compiled.
///
/// # Errors
/// `Invalid` that names the field, what is wrong in it, and where.
pub(super) fn check(field: &str, schema: &Map<String, Value>) -> Result<()> {
    let invalid = |message: String| Err(Error::invalid(field, message));
    if schema.values().any(|value| levels(value) >= MAX_NESTING) {
        let message = format!("is nested more than {MAX_NESTING} levels deep; make it flatter");
        return invalid(message);
    }
    if schema.values().map(patterns).sum::<usize>() > MAX_PATTERNS {
        let message = format!("holds more than {MAX_PATTERNS} regular expressions; use fewer");
        return invalid(message);
    }
    match compile(schema) {
        Ok(_) => Ok(()),
        Err(message) => invalid(message),
    }
}

/// Compiles a schema that [`check`] accepts. What validates with it takes time in proportion to the
/// schema and the value: its regular expressions never backtrack.
///
/// # Errors
/// A sentence that says what is wrong, and where.
pub(crate) fn compile(schema: &Map<String, Value>) -> std::result::Result<Validator, String> {
    let mut schema = schema.clone();
    schema.remove(ADAPTER);
    let schema = Value::Object(schema);
    let size = schema.to_string().len();
    if size > MAX_COMPILED {
        return Err(format!(
            "has {size} bytes without `{ADAPTER}`, and {MAX_COMPILED} are allowed; make it smaller"
        ));
    }
    cost::check(&schema)?;
    let patterns = PatternOptions::regex().size_limit(MAX_PATTERN).dfa_size_limit(MAX_PATTERN);
    let options = jsonschema::options().with_pattern_options(patterns).offline();
    options.build(&schema).map_err(|error| {
        let path = error.instance_path().to_string();
        let at = if path.is_empty() { String::new() } else { format!(" at {path}") };
        // the value at fault may be as large as the schema
        let message: String = error.masked().to_string().chars().take(300).collect();
        match error.kind() {
            ValidationErrorKind::Referencing(_) => format!(
                "refers{at} to what is not in it ({message}); put what it needs under $defs and \
                 refer to it as #/$defs/NAME: nothing is fetched"
            ),
            _ => format!("is no valid JSON Schema{at}: {message}"),
        }
    })
}

/// What a compiled schema may take in memory, in bytes: its text, and for each regular expression the
/// automaton and its cache.
pub(crate) fn weight(schema: &Value) -> u64 {
    (schema.to_string().len() + patterns(schema) * 2 * MAX_PATTERN) as u64
}

fn levels(value: &Value) -> usize {
    let within = match value {
        Value::Array(values) => values.iter().map(levels).max(),
        Value::Object(fields) => fields.values().map(levels).max(),
        _ => return 0,
    };
    within.unwrap_or(0) + 1
}

/// How many regular expressions a part of a schema may hold.
fn patterns(value: &Value) -> usize {
    match value {
        Value::Array(values) => values.iter().map(patterns).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match (name.as_str(), value) {
                ("pattern", Value::String(_)) => 1,
                ("patternProperties", Value::Object(named)) => named.len() + patterns(value),
                _ => patterns(value),
            })
            .sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn refusal(schema: Value) -> String {
        let Value::Object(schema) = schema else { panic!("a schema is an object") };
        check("input_schema", &schema).unwrap_err().to_string()
    }

    #[track_caller]
    fn accepts(schema: Value) -> Validator {
        let Value::Object(schema) = schema else { panic!("a schema is an object") };
        check("input_schema", &schema).unwrap();
        compile(&schema).unwrap()
    }

    #[test]
    fn schemas_are_accepted() {
        let people = accepts(json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": { "age": { "$ref": "#/$defs/age" }, "name": { "pattern": "^[a-z]+$" } },
            "required": ["age"],
            "$defs": { "age": { "type": "integer", "minimum": 0 } },
            "x-adapter": { "tokenizer": { "$ref": "of no meaning here" } },
        }));
        assert!(people.is_valid(&json!({ "age": 3, "name": "ada" })));
        assert!(!people.is_valid(&json!({ "age": -3 })));
        accepts(json!({}));
        accepts(json!({ "$schema": "http://json-schema.org/draft-07/schema#", "type": "array" }));
        // a tree
        let tree = accepts(json!({
            "type": "object", "properties": { "children": { "items": { "$ref": "#" } } }
        }));
        assert!(!tree.is_valid(&json!({ "children": [{ "children": [3] }] })));
    }

    #[test]
    fn what_is_no_schema_is_refused_with_the_place() {
        for (schema, words) in [
            (json!({ "type": 12 }), &["input_schema: is no valid JSON Schema at /type"][..]),
            (
                json!({ "properties": { "a": { "minimum": "3" } } }),
                &["/properties/a/minimum", "number"],
            ),
            (json!({ "required": "a" }), &["/required"]),
            (json!({ "pattern": "(" }), &["/pattern"]),
            (json!({ "pattern": "(a+)+$(?=b)" }), &["/pattern"]),
            (json!({ "pattern": "(\\w{1000}){1000}" }), &["/pattern"]),
            (json!({ "$ref": "https://example.com/schema.json" }), &["example.com", "$defs"]),
            (json!({ "$ref": "file:///etc/passwd" }), &["refers", "nothing is fetched"]),
            (json!({ "$ref": "#/$defs/none" }), &["refers", "none"]),
            (json!({ "$schema": "https://example.com/mine" }), &["example.com"]),
        ] {
            let message = refusal(schema);
            for word in words {
                assert!(message.contains(word), "`{message}` does not say `{word}`");
            }
        }
    }

    #[test]
    fn a_schema_has_limits() {
        let deep = (0..40).fold(json!({}), |inner, _| json!({ "not": inner }));
        assert!(refusal(deep).contains("24 levels"));
        let many: Map<_, _> =
            (0..101).map(|i| (format!("f{i}"), json!({ "pattern": "a" }))).collect();
        assert!(refusal(json!({ "properties": many })).contains("100 regular expressions"));
        assert!(refusal(json!({ "title": "x".repeat(300_000) })).contains("262144 are allowed"));
        let long = "y".repeat(300_000);
        accepts(json!({ "x-adapter": { "tokenizer": long } }));
        // what is quoted of a schema is short
        assert!(refusal(json!({ "required": "z".repeat(200_000) })).len() < 1_000);
    }

    #[test]
    fn a_schema_that_only_refers_to_itself_ends() {
        for schema in [
            json!({ "$ref": "#" }),
            json!({ "allOf": [{ "$ref": "#" }] }),
            json!({ "$ref": "#/$defs/a", "$defs": {
                "a": { "$ref": "#/$defs/b" }, "b": { "not": { "$ref": "#/$defs/a" } }
            } }),
            json!({ "$dynamicRef": "#" }),
        ] {
            let Value::Object(schema) = schema else { panic!("a schema is an object") };
            if check("input_schema", &schema).is_ok() {
                let _either = compile(&schema).unwrap().is_valid(&json!({ "a": [1] }));
            }
        }
    }
}
