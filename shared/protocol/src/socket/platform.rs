//! What the platform says to a device.

use serde::{Deserialize, Serialize};

use super::Payload;

/// The answer to `hello`: the device may work now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "welcome")]
pub struct Welcome {
    /// The platform's id of the device.
    pub device_id: String,
    /// For `resume` and as `X-SDK-Token`; a secret.
    pub session_token: String,
    /// Between two heartbeats while it has work.
    pub heartbeat_ms: u64,
    /// Without a heartbeat for so long its work is given to others.
    pub lease_ms: u64,
    /// RFC 3339, UTC.
    pub server_time: String,
    /// Under which `/api/v1` is, when that does not follow from the socket's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_url: Option<String>,
}

/// Run this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "taskRun")]
pub struct TaskRun {
    /// The task; of a single inference, the job's id.
    pub task_id: String,
    /// From 1.
    pub attempt: u32,
    /// What makes the result of this attempt welcome; echo it.
    pub fence: String,
    /// Without a heartbeat for so long it is given to others.
    pub lease_ms: u64,
    /// What is left until nobody waits for the answer, from receipt.
    pub deadline_ms: u64,
    /// The model to run.
    pub model: ModelRef,
    /// Its inputs.
    pub inputs: Payload,
    /// The inputs are those of so many requests, stacked along one more dimension in front: a piece of
    /// a batch, which is answered likewise, and runs beside the slots, behind everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stacked: Option<u32>,
    /// Where outputs go that do not fit into a frame (presigned PUT, safetensors).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs_url: Option<String>,
}

/// The model of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelRef {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: u32,
    /// `onnx` or `torchscript`.
    pub format: String,
    /// `sha256:` and 64 hex digits; what the device caches it by.
    pub checksum: String,
    /// Its size.
    pub bytes: u64,
    /// Where to fetch it; left out when the device is known to have it. Without it a device that
    /// lacks the model asks `GET /api/v1/models/{id}/download?version=N&task=TASK` with its `X-SDK-Token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// The platform has judged the result; the device may forget it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "taskAck")]
pub struct TaskAck {
    /// The task.
    pub task_id: String,
    /// The attempt's fence.
    pub fence: String,
    /// Whether it counted.
    pub accepted: bool,
}

/// Stop the attempt; nobody wants its result any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "taskCancel")]
pub struct TaskCancel {
    /// The task.
    pub task_id: String,
    /// The attempt's fence.
    pub fence: String,
    /// Why, for people.
    pub reason: String,
}

/// Finish what you have, take nothing new, then say `bye`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "drain")]
pub struct Drain {
    /// Why, for people.
    pub reason: String,
}

/// The platform did not understand or does not allow a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "error")]
pub struct Fault {
    /// As in the REST API.
    pub code: String,
    /// What to change.
    pub message: String,
}
