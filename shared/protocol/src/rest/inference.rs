//! Inference.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// A request for one inference.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Request {
    /// The model, `model_…`; its newest version, or `model_…@3` for that one.
    #[schema(example = "model_0193")]
    pub model_id: String,
    /// A tensor `{"data": [numbers], "shape": [sizes]}` (or `data_b64` with `dtype`, little-endian),
    /// or `{"inputs": {name: tensor}}` for a model with several inputs; of a model with an adapter
    /// before it what the adapter takes: an image, rows, a text.
    #[schema(value_type = Object, example = json!({"data": [0.1, 0.2], "shape": [1, 2]}))]
    pub input: Box<RawValue>,
    /// Answer 202 at once and go on without the caller.
    #[serde(default, rename = "async")]
    pub run_async: bool,
    /// `true`: tensors in and out, whatever adapters the model has. `false`: its adapters apply.
    /// By default they do, but for a tensor in a call that does not wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<bool>,
    /// The project that the job belongs to.
    pub project_id: Option<String>,
    /// How to run it.
    #[serde(default)]
    pub options: Options,
    /// Where it may run: `own`, `shared` or `platform`; by default as the model says.
    pub placement: Option<String>,
}

/// How to run a job.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Options {
    /// Milliseconds until a waiting call answers 202 (default 20 000, at most 25 000).
    pub timeout: Option<u64>,
    /// Milliseconds that the job itself may take (default 300 000).
    pub deadline_ms: Option<u64>,
    /// Take a device with a graphics processor if there is one.
    #[serde(default)]
    pub prefer_gpu: bool,
    /// Only devices of this kind: `user` or `aws`.
    pub instance_type: Option<String>,
}

/// A job, finished or not.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// `infer_…`
    pub job_id: String,
    /// `queued`, `running`, `completed`, `failed`, `cancelled` or `timed_out`.
    pub status: String,
    /// The model.
    pub model_id: String,
    /// The version that ran.
    pub model_version: u32,
    /// The output tensor, or `{"outputs": {name: tensor}}`, or what the adapter behind the model
    /// makes of it, when completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub result: Option<Box<RawValue>>,
    /// What to know about the result, such as values that are not finite.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Why it did not complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// Milliseconds from acceptance to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// The device whose result counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// How many devices were asked.
    pub attempts: u32,
    /// Where the time went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timings_ms: Option<Timings>,
    /// The project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
}

/// Where the time of a job went, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Timings {
    /// Until it was sent, and waiting on the device.
    pub queue: f64,
    /// Between platform and device, the model's and the inputs' way included.
    pub transfer: f64,
    /// Computing.
    pub compute: f64,
    /// From acceptance to the end.
    pub total: f64,
}

/// Why a job did not complete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// A short name for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

/// The answer to work that goes on without the caller.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Accepted {
    /// `infer_…`
    pub job_id: String,
    /// `queued` or `running`.
    pub status: String,
    /// A sentence for people.
    pub message: String,
    /// Where the result will be.
    pub poll_url: String,
}

/// The answer to a cancellation.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Cancelled {
    /// `infer_…`
    pub job_id: String,
    /// `cancelled`.
    pub status: String,
}
