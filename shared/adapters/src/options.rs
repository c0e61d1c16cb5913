//! Options of an adapter, as they stand in `x-adapter` of a schema.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Reads `x-adapter` of a schema; what it does not say has its default. The error is a sentence
/// that names the option.
pub(crate) fn read<T: DeserializeOwned>(schema: Option<&Map<String, Value>>) -> Result<T, String> {
    let options = schema.and_then(|schema| schema.get("x-adapter"));
    let options = options.cloned().unwrap_or_else(|| Value::Object(Map::new()));
    T::deserialize(options).map_err(|error| format!("x-adapter: {error}"))
}
