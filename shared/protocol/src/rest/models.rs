//! Models.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::tensor::Spec;

/// A model: the newest ready version of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Model {
    /// `model_…`
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// `onnx` or `torchscript`.
    pub format: String,
    /// Bytes of the file.
    pub size: u64,
    /// `sha256:` and 64 hex digits.
    pub checksum: String,
    /// From 1; a version's bytes never change.
    pub version: u32,
    /// Grows with every change of schema, labels or adapters.
    pub revision: u32,
    /// `ready`.
    pub status: String,
    /// RFC 3339, UTC.
    pub uploaded_at: String,
    /// Shape of the first input; `null` where any size is accepted.
    pub input_shape: Vec<Option<usize>>,
    /// Shape of the first output.
    pub output_shape: Vec<Option<usize>>,
    /// Every input with name, type and shape.
    pub inputs: Vec<Spec>,
    /// Every output with name, type and shape.
    pub outputs: Vec<Spec>,
    /// The adapter before the model.
    pub preprocessing: Option<String>,
    /// The adapter behind the model.
    pub postprocessing: Option<String>,
    /// JSON Schema of the input.
    pub input_schema: Option<Value>,
    /// JSON Schema of the output, for people.
    pub output_schema: Option<Value>,
    /// Names of the classes.
    pub labels: Option<Vec<String>>,
    /// Where it may run: `own`, `shared` or `platform`.
    pub placement: String,
}

/// A page of models.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Models {
    /// Newest first.
    pub models: Vec<Model>,
    /// How many models the customer has, on all pages.
    pub total: u64,
    /// Give it as `cursor` for the next page; `null` on the last.
    pub next_cursor: Option<String>,
}

/// The form of an upload (`multipart/form-data`).
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes the form; the handler reads it part by part")]
pub struct Upload {
    /// The model file, `.onnx`.
    #[schema(value_type = String, format = Binary)]
    model: Vec<u8>,
    /// Defaults to the file's name.
    name: Option<String>,
    /// `onnx`; by default from the file's extension.
    format: Option<String>,
    /// For example `[1, 10]`; compared with the file.
    input_shape: Option<String>,
    /// For example `[1, 2]`; compared with the file.
    output_shape: Option<String>,
    /// JSON Schema.
    input_schema: Option<String>,
    /// JSON Schema.
    output_schema: Option<String>,
    /// JSON list of class names.
    labels: Option<String>,
    /// `passthrough`.
    preprocessing: Option<String>,
    /// `passthrough`.
    postprocessing: Option<String>,
    /// `own` (default), `shared` or `platform`.
    placement: Option<String>,
}
