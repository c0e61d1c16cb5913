//! Batches: many inferences of one model.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::inference::Failure;

/// A request for a batch.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Request {
    /// The model, `model_…`; its newest version, or `model_…@3` for that one.
    #[schema(example = "model_0193")]
    pub model_id: String,
    /// The inputs, each as in `POST /inference`; 1 to 10 000. Give these or `inputs_dataset_id`.
    #[schema(value_type = Option<Vec<Object>>, example = json!([{"data": [0.1, 0.2], "shape": [1, 2]}]))]
    pub inputs: Option<Box<RawValue>>,
    /// A dataset whose rows are the inputs; up to 1 000 000.
    pub inputs_dataset_id: Option<String>,
    /// What people call it.
    pub name: Option<String>,
    /// The project that it belongs to; `batch_…`, one of its own, by default.
    pub project_id: Option<String>,
    /// `true`: tensors in and out, whatever adapters the model has. `false`: its adapters apply.
    /// By default they do for every input that is not a tensor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<bool>,
    /// How to run it.
    #[serde(default)]
    pub options: Options,
    /// Where it may run: `own`, `shared` or `platform`; by default as the model says.
    pub placement: Option<String>,
    /// Only check the request, count the inputs and estimate what the batch takes.
    #[serde(default)]
    pub dry_run: bool,
}

/// How to run a batch.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Options {
    /// Milliseconds that the batch may take (default and at most 24 hours).
    pub deadline_ms: Option<u64>,
    /// Take devices with a graphics processor if there are any.
    #[serde(default)]
    pub prefer_gpu: bool,
    /// Only devices of this kind: `user` or `aws`.
    pub instance_type: Option<String>,
}

/// The answer to a batch that goes on without the caller.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Accepted {
    /// `batch_…`
    pub job_id: String,
    /// The project that it belongs to.
    pub project_id: String,
    /// `queued`.
    pub status: String,
    /// How many inputs it has.
    pub total_tasks: u64,
    /// Where its progress and its results are.
    pub poll_url: String,
}

/// What a batch would take.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Estimate {
    /// Always `true`.
    pub dry_run: bool,
    /// How many inputs it has.
    pub total_tasks: u64,
    /// Bytes of the inputs, as tensors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_bytes: Option<u64>,
    /// Into how many pieces it would be cut, at least.
    pub chunks: u64,
    /// Computing altogether, in milliseconds, when the model has run before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_compute_ms: Option<f64>,
    /// Connected devices that could work on it.
    pub devices: u64,
}

/// A batch.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Batch {
    /// `batch_…`
    pub job_id: String,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The project that it belongs to.
    pub project_id: String,
    /// `queued`, `running`, `completed`, `failed`, `cancelled` or `timed_out`.
    pub status: String,
    /// The model.
    pub model_id: String,
    /// The version that runs.
    pub model_version: u32,
    /// How far it is.
    pub progress: Progress,
    /// Why it did not complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
}

/// How far a batch is, in inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// With a result.
    pub completed: u64,
    /// Without one, for good.
    pub failed: u64,
    /// All.
    pub total: u64,
    /// Of all, how many are over, in percent.
    pub percent_complete: f64,
}

/// A batch with results that it has so far.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Shown {
    /// The batch.
    #[serde(flatten)]
    pub batch: Batch,
    /// A page of the inputs that are over.
    pub results: Vec<Item>,
    /// For the next page; `null` when nothing more is over.
    pub next_cursor: Option<String>,
}

/// A page of results.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Results {
    /// Those of the inputs that are over, in order.
    pub results: Vec<Item>,
    /// For the next page; `null` when nothing more is over.
    pub next_cursor: Option<String>,
}

/// What became of one input.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Item {
    /// Its place among the inputs, from 0.
    pub index: u64,
    /// `completed`, `failed`, `cancelled` or `timed_out`.
    pub status: String,
    /// The result, as of a single inference.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub result: Option<Box<RawValue>>,
    /// What to know about the result, such as values that are not finite.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

/// A page of batches, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Batches {
    /// The batches.
    pub jobs: Vec<Batch>,
    /// For the next page.
    pub next_cursor: Option<String>,
}
