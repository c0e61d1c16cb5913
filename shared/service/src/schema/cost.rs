//! What checking a value against a schema costs: the same walk that the validator makes, without the
//! checks, and with an end. References that lead in circles, and alternatives that multiply at every
//! level, end here and not in the validator.

use std::ops::ControlFlow;

use serde_json::{Map, Value};

/// How many steps the checks of one request may take in all: about what 4 MB of numbers need.
const MAX_STEPS: u64 = 4_000_000;

/// What a request has left for its checks.
pub(crate) struct Budget(u64);

impl Budget {
    pub(crate) fn of_request() -> Self {
        Self(MAX_STEPS)
    }
}

/// How many schemas may stand within one another, references followed.
const MAX_DEPTH: u32 = 200;

/// Keywords whose cost cannot be told before, or that lead out of the schema.
const REFUSED: [(&str, &str); 4] = [
    ("$dynamicRef", "use `$ref`"),
    ("$recursiveRef", "use `$ref`"),
    ("unevaluatedProperties", "use `additionalProperties`"),
    ("unevaluatedItems", "use `items`"),
];

/// Whether a schema holds only what can be counted. The error is a sentence without a subject.
pub(crate) fn check(schema: &Value) -> Result<(), String> {
    let id = if is_draft_4(schema) { "id" } else { "$id" };
    let mut open = vec![(schema, true)];
    while let Some((value, is_root)) = open.pop() {
        match value {
            Value::Array(values) => open.extend(values.iter().map(|value| (value, false))),
            Value::Object(fields) => {
                for (keyword, instead) in REFUSED {
                    if fields.contains_key(keyword) {
                        return Err(format!("uses `{keyword}`, which is not supported; {instead}"));
                    }
                }
                let is_id = |name: &&str| fields.get(*name).is_some_and(Value::is_string);
                if !is_root && let Some(id) = ["$id", id].iter().find(|name| is_id(name)) {
                    return Err(format!("has an `{id}` within; give it to the whole schema only"));
                }
                if let Some(Value::String(reference)) = fields.get("$ref")
                    && find(schema, reference).is_none()
                {
                    let shown: String = reference.chars().take(80).collect();
                    return Err(format!(
                        "refers to `{shown}`, which is not in it; put what it needs under $defs and refer to it as #/$defs/NAME, without `%`: nothing is fetched"
                    ));
                }
                open.extend(fields.values().map(|value| (value, false)));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether checking `value` takes a bounded number of steps. The error is a sentence.
pub(super) fn of(schema: &Value, value: &Value, budget: &mut Budget) -> Result<(), String> {
    match (Walk { root: schema, left: &mut budget.0 }).visit(schema, value, 0) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(reason) => Err(reason.to_owned()),
    }
}

/// Whether some part of a schema is of draft 4, where `id` says what references start from.
fn is_draft_4(schema: &Value) -> bool {
    match schema {
        Value::Array(values) => values.iter().any(is_draft_4),
        Value::Object(fields) => {
            let draft = fields.get("$schema").and_then(Value::as_str);
            draft.is_some_and(|draft| draft.contains("draft-04")) || fields.values().any(is_draft_4)
        }
        _ => false,
    }
}

/// What a reference within the schema leads to. The validator decodes `%`, and may find another part
/// than is written: such a reference leads nowhere.
fn find<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    if reference.contains('%') {
        return None;
    }
    root.pointer(reference.strip_prefix('#')?)
}

struct Walk<'a, 'b> {
    root: &'a Value,
    left: &'b mut u64,
}

type Step = ControlFlow<&'static str>;

impl<'a> Walk<'a, '_> {
    fn pay(&mut self, steps: usize) -> Step {
        match self.left.checked_sub(steps as u64) {
            Some(left) => {
                *self.left = left;
                Step::Continue(())
            }
            None => Step::Break(
                "it takes too long to check against input_schema; send less at once, or make the schema simpler",
            ),
        }
    }

    fn visit(&mut self, schema: &'a Value, value: &Value, depth: u32) -> Step {
        self.pay(1)?;
        if depth > MAX_DEPTH {
            return Step::Break(
                "input_schema and input are nested too deep; the schema may refer to itself in a circle",
            );
        }
        let Value::Object(fields) = schema else { return Step::Continue(()) };
        let depth = depth + 1;
        for (keyword, part) in fields {
            match (keyword.as_str(), part) {
                ("$ref", Value::String(reference)) => {
                    if let Some(target) = find(self.root, reference) {
                        self.visit(target, value, depth)?;
                    }
                }
                ("allOf" | "anyOf" | "oneOf", Value::Array(parts)) => {
                    parts.iter().try_for_each(|part| self.visit(part, value, depth))?;
                }
                ("not" | "if" | "then" | "else", part) => self.visit(part, value, depth)?,
                ("dependentSchemas" | "dependencies", Value::Object(parts)) => {
                    parts.values().try_for_each(|part| self.visit(part, value, depth))?;
                }
                ("enum" | "required", Value::Array(values)) => self.pay(values.len())?,
                ("pattern", _) => self.pay(value.as_str().map_or(0, str::len) / 16)?,
                _ => match value {
                    Value::Object(given) => self.object(keyword, part, given, depth)?,
                    Value::Array(given) => self.array(keyword, part, given, depth)?,
                    _ => {}
                },
            }
        }
        Step::Continue(())
    }

    fn object(
        &mut self,
        keyword: &str,
        part: &'a Value,
        given: &Map<String, Value>,
        depth: u32,
    ) -> Step {
        match (keyword, part) {
            ("properties", Value::Object(parts)) => {
                self.pay(parts.len())?;
                for (name, part) in parts {
                    if let Some(value) = given.get(name) {
                        self.visit(part, value, depth)?;
                    }
                }
            }
            // each pattern may take each name
            ("patternProperties", Value::Object(parts)) => {
                for part in parts.values() {
                    for (name, value) in given {
                        self.pay(name.len() / 16)?;
                        self.visit(part, value, depth)?;
                    }
                }
            }
            ("additionalProperties", part) => {
                given.values().try_for_each(|value| self.visit(part, value, depth))?;
            }
            ("propertyNames", part) => {
                for name in given.keys() {
                    self.visit(part, &Value::String(name.clone()), depth)?;
                }
            }
            _ => {}
        }
        Step::Continue(())
    }

    fn array(&mut self, keyword: &str, part: &'a Value, given: &[Value], depth: u32) -> Step {
        match (keyword, part) {
            ("items" | "prefixItems", Value::Array(parts)) => {
                for (part, value) in parts.iter().zip(given) {
                    self.visit(part, value, depth)?;
                }
                Step::Continue(())
            }
            ("items" | "additionalItems" | "contains", part) => {
                given.iter().try_for_each(|value| self.visit(part, value, depth))
            }
            ("uniqueItems", _) => self.pay(given.len()),
            _ => Step::Continue(()),
        }
    }
}
