//! `input_schema`: compiled once for each revision, and held against inputs as their callers give
//! them. Schemas come from strangers: what checking costs is counted before it is done.

use std::sync::Arc;

use jsonschema::{Validator, paths::LocationSegment};
use protocol::rest::errors::Detail;
use quick_cache::{Weighter, sync::Cache};
use serde_json::{Map, Value};

use crate::models;

pub(crate) mod cost;

pub(crate) use cost::Budget;

/// A schema, ready to be used on any thread.
pub(crate) struct Schema {
    validator: Validator,
    source: Value,
    /// What it may take in memory, in bytes.
    weight: u64,
}

/// Schemas by `id/revision`, as many as fit in a bounded memory.
pub(crate) struct Schemas(Cache<String, Arc<Schema>, ByWeight>);

#[derive(Clone)]
struct ByWeight;

impl Weighter<String, Arc<Schema>> for ByWeight {
    fn weight(&self, _: &String, schema: &Arc<Schema>) -> u64 {
        schema.weight
    }
}

impl Schemas {
    /// What all take together, in bytes: more than the heaviest that is accepted.
    const MAX_WEIGHT: u64 = 64 << 20;

    pub(crate) fn new() -> Self {
        // for so few entries the cache is in one part, which holds the heaviest
        Self(Cache::with_weighter(32, Self::MAX_WEIGHT, ByWeight))
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Schema>> {
        self.0.get(name)
    }

    pub(crate) fn insert(&self, name: String, schema: Arc<Schema>) {
        self.0.insert(name, schema);
    }
}

impl Schema {
    /// Faults of one value that are told at once.
    pub(crate) const MAX_FAULTS: usize = 20;

    /// Reads a schema; its `x-adapter` is not part of it. The error is a sentence without a subject.
    pub(crate) fn compile(schema: &Map<String, Value>) -> Result<Self, String> {
        let validator = models::compile_schema(schema)?;
        let mut source = schema.clone();
        source.remove("x-adapter");
        let source = Value::Object(source);
        let weight = models::schema_weight(&source);
        Ok(Self { validator, source, weight })
    }

    /// What is wrong with a value that stands at `path`: the first faults, each with its place.
    pub(crate) fn faults(&self, value: &Value, path: &str, budget: &mut Budget) -> Vec<Detail> {
        if let Err(message) = cost::of(&self.source, value, budget) {
            return vec![Detail { path: path.to_owned(), message }];
        }
        let errors = self.validator.iter_errors(value).take(Self::MAX_FAULTS);
        errors
            .map(|error| Detail {
                path: error.instance_path().into_iter().fold(path.to_owned(), step),
                // the value itself may be large, or secret
                message: shortened(&error.masked().to_string()),
            })
            .collect()
    }
}

fn step(path: String, segment: LocationSegment) -> String {
    match segment {
        LocationSegment::Property(name) => format!("{path}.{name}"),
        LocationSegment::Index(index) => format!("{path}[{index}]"),
    }
}

/// A text of the validator's in reasonable length.
fn shortened(text: &str) -> String {
    const MAX: usize = 300;
    match text.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
