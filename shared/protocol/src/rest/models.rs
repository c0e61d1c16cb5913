//! Models.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::schema::Declared;
use crate::tensor::Spec;

/// A model as lists show it: in its newest ready version, or the newest if none is ready.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Summary {
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
    /// `uploading`, `validating`, `ready` or `rejected`; only a ready version runs.
    pub status: String,
    /// Why the version was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// RFC 3339, UTC.
    pub uploaded_at: String,
    /// Shape of the first input, `null` where any size is accepted; all of it `null` of a version that is
    /// not ready.
    pub input_shape: Option<Vec<Option<usize>>>,
    /// Likewise of the first output.
    pub output_shape: Option<Vec<Option<usize>>>,
    /// Every input with name, type and shape.
    pub inputs: Vec<Spec>,
    /// Every output with name, type and shape.
    pub outputs: Vec<Spec>,
    /// How the version's inputs and outputs differ from those of the version before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What a run costs; `null` when it was not tried at upload, which `warnings` explain.
    #[serde(default)]
    pub profile: Option<Profile>,
    /// The adapter before the model.
    pub preprocessing: Option<String>,
    /// The adapter behind the model.
    pub postprocessing: Option<String>,
    /// Where it may run: `own`, `shared` or `platform`.
    pub placement: String,
}

/// What one run costs, measured once at upload on inputs of zeros, with 1 for open dimensions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Profile {
    /// Median of a few runs, in milliseconds, on the platform's machine.
    pub latency_ms: f64,
    /// Weights and the most that tensors take at one time, estimated, in bytes.
    pub memory_bytes: u64,
    /// From the cloud's list prices, for so many runs.
    pub estimated_cost: EstimatedCost,
}

/// An amount of money for a number of runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EstimatedCost {
    /// In `currency`.
    pub amount: f64,
    /// `USD`
    pub currency: String,
    /// How many runs cost that.
    pub runs: u32,
}

/// A model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Model {
    /// Everything but what may be large.
    #[serde(flatten)]
    pub summary: Summary,
    /// JSON Schema of the input.
    pub input_schema: Option<Value>,
    /// JSON Schema of the output, for people.
    pub output_schema: Option<Value>,
    /// Names of the classes.
    pub labels: Option<Vec<String>>,
}

/// A page of models.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Models {
    /// Newest first, without schemas and labels.
    pub models: Vec<Summary>,
    /// How many models the customer has, on all pages.
    pub total: u64,
    /// Give it as `cursor` for the next page; `null` on the last.
    pub next_cursor: Option<String>,
}

/// One version of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// From 1.
    pub version: u32,
    /// `uploading`, `validating`, `ready` or `rejected`; only a ready version runs.
    pub status: String,
    /// Why it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `onnx` or `torchscript`.
    pub format: String,
    /// Bytes of the file.
    pub size: u64,
    /// `sha256:` and 64 hex digits.
    pub checksum: String,
    /// RFC 3339, UTC.
    pub uploaded_at: String,
    /// Every input with name, type and shape.
    pub inputs: Vec<Spec>,
    /// Every output with name, type and shape.
    pub outputs: Vec<Spec>,
    /// How its inputs and outputs differ from those of the version before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What a run costs; `null` when it was not tried at upload, which `warnings` explain.
    #[serde(default)]
    pub profile: Option<Profile>,
}

/// A page of a model's versions.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Versions {
    /// Newest first.
    pub versions: Vec<Version>,
    /// How many versions the model has, on all pages.
    pub total: u64,
    /// Give it as `cursor` for the next page; `null` on the last.
    pub next_cursor: Option<String>,
}

/// What may be changed of a model without uploading it again. A field that is not there stays as it
/// is; `null` clears it.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct Update {
    /// What people call it; cannot be cleared.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub name: Option<Option<String>>,
    /// `own`, `shared` or `platform`; cleared, it is `own`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub placement: Option<Option<String>>,
    /// JSON Schema of the input.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Object>)]
    pub input_schema: Option<Option<Declared>>,
    /// JSON Schema of the output, for people.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Object>)]
    pub output_schema: Option<Option<Declared>>,
    /// Names of the classes.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>)]
    pub labels: Option<Option<Vec<String>>>,
    /// `image_classification`, `tabular`, `text_tokens` or `passthrough`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub preprocessing: Option<Option<String>>,
    /// `top_k_labels`, `binary_classification`, `regression` or `passthrough`.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub postprocessing: Option<Option<String>>,
}

/// Tells a field that is `null` from one that is not there.
fn given<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// The form of an upload (`multipart/form-data`).
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes the form; the handler reads it part by part")]
pub struct Upload {
    /// The model file, `.onnx` or `.pt`.
    #[schema(value_type = String, format = Binary)]
    model: Vec<u8>,
    /// Defaults to the file's name.
    name: Option<String>,
    /// `onnx` or `torchscript`; by default from the file's extension.
    format: Option<String>,
    /// For example `[1, 10]`; compared with the file, and required for `torchscript`.
    input_shape: Option<String>,
    /// For example `[1, 2]`; compared with the file, and required for `torchscript`.
    output_shape: Option<String>,
    /// JSON Schema.
    input_schema: Option<String>,
    /// JSON Schema.
    output_schema: Option<String>,
    /// JSON list of class names.
    labels: Option<String>,
    /// `image_classification`, `tabular`, `text_tokens` or `passthrough`.
    preprocessing: Option<String>,
    /// `top_k_labels`, `binary_classification`, `regression` or `passthrough`.
    postprocessing: Option<String>,
    /// `own` (default), `shared` or `platform`.
    placement: Option<String>,
    /// The id of the model of which this is to be the next version; it comes without name, schemas,
    /// labels and adapters, which belong to the model.
    version_of: Option<String>,
}
