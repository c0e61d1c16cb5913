#![allow(clippy::unwrap_used, reason = "tests")]
use serde_json::json;

use super::*;

fn compiled(schema: Value) -> Result<Schema, String> {
    Schema::compile(schema.as_object().unwrap())
}

fn faults(schema: Value, value: Value) -> Vec<(String, String)> {
    let faults = compiled(schema).unwrap().faults(&value, "input", &mut Budget::of_request());
    faults.into_iter().map(|fault| (fault.path, fault.message)).collect()
}

#[test]
fn every_fault_has_its_place_and_reason() {
    let schema = json!({
        "type": "object",
        "required": ["name", "rows"],
        "properties": {
            "age": { "type": "integer", "minimum": 0 },
            "rows": { "items": { "enum": ["a", "b"] } },
        },
        "x-adapter": { "$ref": "#/nowhere", "unevaluatedItems": 1 },
    });
    assert_eq!(faults(schema.clone(), json!({ "name": "x", "rows": ["a"], "age": 3 })), []);
    let found = faults(schema, json!({ "age": -1, "rows": ["a", "secret"] }));
    let paths: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths.len(), 3, "{found:?}");
    for (path, word) in [("input", "\"name\""), ("input.age", "0"), ("input.rows[1]", "\"b\"")] {
        let (_, message) = found.iter().find(|(at, _)| at == path).unwrap();
        assert!(message.contains(word) && !message.contains("secret"), "{message}");
    }
}

#[test]
fn many_faults_are_cut_off() {
    let found = faults(json!({ "items": { "type": "string" } }), json!(vec![1; 1000]));
    assert_eq!(found.len(), Schema::MAX_FAULTS);
    let (_, long) = &faults(json!({ "enum": ["x".repeat(10_000)] }), json!(1))[0];
    assert!(long.chars().count() < 310, "{long}");
}

#[test]
fn what_is_no_schema_is_refused() {
    for (schema, word) in [
        (json!({ "type": "tensor" }), "/type"),
        (json!({ "properties": { "a": { "pattern": "(" } } }), "pattern"),
        // only engines that go back over the text have these
        (json!({ "pattern": "(?=a)" }), "pattern"),
        (json!({ "pattern": "(a{1000}){1000}" }), "pattern"),
        (json!({ "$ref": "https://example.org/schema.json" }), "#/$defs/NAME"),
        (json!({ "$ref": "file:///etc/passwd" }), "#/$defs/NAME"),
        (json!({ "items": { "$ref": "#/$defs/none" } }), "#/$defs/none"),
        (json!({ "properties": { "a": { "$id": "b" } } }), "$id"),
        // the validator would take another part than is counted
        (
            json!({
                "$ref": "#/$defs/a%62",
                "$defs": { "a%62": {}, "ab": { "allOf": [{ "$ref": "#" }] } },
            }),
            "without `%`",
        ),
        (
            json!({
                "$schema": "http://json-schema.org/draft-04/schema#",
                "properties": { "a": { "id": "http://a/b", "items": { "$ref": "#/definitions/c" } } },
                "definitions": { "c": {} },
            }),
            "`id` within",
        ),
        (json!({ "$dynamicRef": "#a" }), "`$dynamicRef`"),
        (json!({ "allOf": [{ "unevaluatedProperties": false }] }), "additionalProperties"),
    ] {
        let reason = compiled(schema.clone()).err().unwrap_or_else(|| panic!("{schema}"));
        assert!(reason.contains(word), "{schema}: {reason}");
    }
}

#[test]
fn an_id_that_names_nothing_is_no_matter() {
    let property = json!({ "properties": { "id": { "type": "string" } } });
    assert_eq!(faults(property, json!({ "id": "a" })), []);
    // only draft 4 reads it
    assert_eq!(faults(json!({ "default": { "id": "a" } }), json!(1)), []);
    let root = json!({
        "$schema": "http://json-schema.org/draft-04/schema#",
        "id": "http://a/b",
        "properties": { "id": { "$ref": "#/definitions/c" } },
        "definitions": { "c": { "type": "string" } },
    });
    assert_eq!(faults(root, json!({ "id": 1 })).len(), 1);
}

#[test]
fn schemas_that_go_in_circles_or_multiply_end() {
    let deep = (0..60).fold(json!(1), |inner, _| json!({ "a": inner }));
    // twice as many ways at every level
    let twice = json!({ "$ref": "#/$defs/t" });
    let level = json!({ "properties": { "a": twice } });
    let multiplied = json!({
        "allOf": [level, level],
        "$defs": { "t": { "allOf": [level, level] } },
    });
    // and without going down
    let mut chain = serde_json::Map::new();
    for step in 0..40 {
        let next = json!({ "$ref": format!("#/$defs/s{}", step + 1) });
        chain.insert(format!("s{step}"), json!({ "anyOf": [next, next] }));
    }
    chain.insert("s40".to_owned(), json!({ "type": "string" }));
    for (schema, word) in [
        (json!({ "$ref": "#" }), "circle"),
        (json!({ "allOf": [{ "$ref": "#" }] }), "circle"),
        (json!({ "$ref": "#/$defs/s0", "$defs": chain }), "too long"),
        (multiplied, "too long"),
        (
            json!({ "properties": { "a": { "enum": vec![0; 100_000] } }, "$ref": "#/properties/a" }),
            "",
        ),
    ] {
        let Ok(schema) = compiled(schema) else { continue };
        let found = schema.faults(&deep, "input", &mut Budget::of_request());
        assert!(found[0].message.contains(word), "{found:?}");
    }
    let many = json!({ "items": { "enum": vec![0; 1000] } });
    assert!(faults(many, json!(vec![1; 10_000]))[0].1.contains("too long"));
}

#[test]
fn the_values_of_one_request_share_its_budget() {
    let schema = compiled(json!({ "items": { "enum": vec![0; 1000] } })).unwrap();
    let value = json!(vec![0; 3000]);
    let mut budget = Budget::of_request();
    assert_eq!(schema.faults(&value, "input[0]", &mut budget).len(), 0);
    assert!(schema.faults(&value, "input[1]", &mut budget)[0].message.contains("too long"));
}

#[test]
fn compiled_schemas_are_kept_as_long_as_their_patterns_fit_in_memory() {
    let with = |patterns: usize| {
        let fields = (0..patterns).map(|i| (format!("f{i}"), json!({ "pattern": "a" })));
        let properties: Map<_, _> = fields.collect();
        Arc::new(compiled(json!({ "properties": properties })).unwrap())
    };
    let schemas = Schemas::new();
    // the heaviest that is accepted
    let (heavy, light) = (with(100), with(1));
    assert!(heavy.weight > 100 * 512 * 1024 && light.weight < 1 << 20);
    for i in 0..10 {
        let name = format!("heavy/{i}");
        schemas.insert(name.clone(), heavy.clone());
        assert!(schemas.get(&name).is_some());
    }
    assert_eq!((0..10).filter(|i| schemas.get(&format!("heavy/{i}")).is_some()).count(), 1);
}
