//! What an owner says of a model beside its file, and whether the file agrees.

use domain::model::Placement;
use protocol::tensor::Spec;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Error, Result};

/// Name, schemas, labels, adapters: everything that can change without a new version.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Description {
    /// What people call it; empty until it is known.
    pub name: String,
    /// JSON Schema of the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<Map<String, Value>>,
    /// JSON Schema of the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Map<String, Value>>,
    /// Names of the classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// The adapter before the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preprocessing: Option<String>,
    /// The adapter behind the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postprocessing: Option<String>,
    /// Where it may run.
    #[serde(default)]
    pub placement: Placement,
}

/// A shape as its owner writes it; `null` and -1 stand for any size.
pub type Shape = Vec<Option<usize>>;

/// What the schemas and labels of one model may take together, in bytes of JSON: they are in the
/// model's item.
const MAX_DESCRIPTION: usize = 128 * 1024;

/// How deep a schema may be nested: an item of the table bears 32 levels, its own included.
const MAX_NESTING: usize = 24;

impl Description {
    /// Sets one field of an upload's form.
    ///
    /// # Errors
    /// When the text is not what the field takes. A field that is none of these is `Ok(false)`.
    pub fn set(&mut self, field: &str, text: &str) -> Result<bool> {
        match field {
            "name" => self.name = text.to_owned(),
            "input_schema" => self.input_schema = Some(schema(field, text)?),
            "output_schema" => self.output_schema = Some(schema(field, text)?),
            "labels" => {
                self.labels = Some(json(field, text, "a list of names such as [\"cat\",\"dog\"]")?);
            }
            "preprocessing" => self.preprocessing = Some(adapter(field, text)?),
            "postprocessing" => self.postprocessing = Some(adapter(field, text)?),
            "placement" => {
                self.placement = Placement::parse(text).ok_or_else(|| {
                    Error::invalid(field, "expected `own`, `shared` or `platform`")
                })?;
            }
            _ => return Ok(false),
        }
        let size = serde_json::to_vec(self).map_err(Error::internal)?.len();
        if size > MAX_DESCRIPTION {
            let message = format!("schemas and labels together may take {MAX_DESCRIPTION} bytes");
            return Err(Error::invalid(field, message));
        }
        Ok(true)
    }
}

fn json<T: serde::de::DeserializeOwned>(field: &str, text: &str, expected: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| Error::invalid(field, format!("expected {expected}: {error}")))
}

fn schema(field: &str, text: &str) -> Result<Map<String, Value>> {
    fn levels(value: &Value) -> usize {
        let within = match value {
            Value::Array(values) => values.iter().map(levels).max(),
            Value::Object(fields) => fields.values().map(levels).max(),
            _ => return 0,
        };
        within.unwrap_or(0) + 1
    }
    let schema: Map<String, Value> = json(field, text, "a JSON Schema object")?;
    if schema.values().any(|value| levels(value) >= MAX_NESTING) {
        let message = format!("is nested more than {MAX_NESTING} levels deep; make it flatter");
        return Err(Error::invalid(field, message));
    }
    Ok(schema)
}

fn adapter(field: &str, name: &str) -> Result<String> {
    match name {
        "passthrough" => Ok(name.to_owned()),
        _ => Err(Error::invalid(field, format!("`{name}` is not available; use `passthrough`"))),
    }
}

/// Reads a shape such as `[1, 10]`, `[null, 10]` or `[-1, 10]`.
///
/// # Errors
/// When it is not a list of sizes.
pub fn read_shape(field: &str, text: &str) -> Result<Shape> {
    let dims: Vec<Option<i64>> = json(field, text, "a list of sizes such as [1, 10]")?;
    dims.into_iter()
        .map(|dim| match dim {
            None | Some(-1) => Ok(None),
            Some(size) => usize::try_from(size).map(Some).map_err(|_| {
                Error::invalid(field, format!("{size} is no size; use null or -1 for any"))
            }),
        })
        .collect()
}

/// Whether the shape that the owner gave agrees with the file's first input or output.
pub(super) fn compare(field: &str, given: Option<&Shape>, specs: &[Spec]) -> Result<()> {
    let (Some(given), Some(spec)) = (given, specs.first()) else { return Ok(()) };
    let agrees = given.len() == spec.shape.len()
        && given.iter().zip(&spec.shape).all(|(given, file)| match (given, file) {
            (Some(given), Some(file)) => given == file,
            _ => true,
        });
    if agrees {
        return Ok(());
    }
    let given = Spec { shape: given.clone(), ..spec.clone() };
    let message = format!(
        "says {}, but `{}` in the file has shape {}; correct it or leave the field out",
        given.shape_text(),
        spec.name,
        spec.shape_text()
    );
    Err(Error::invalid(field, message))
}
