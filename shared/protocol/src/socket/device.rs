//! What a device says to the platform.

use serde::{Deserialize, Serialize};

use super::Payload;

/// The first message of a connection: who I am and what I can do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "hello")]
pub struct Hello {
    /// Chosen and kept by the device, such as `sdk-rust-c5d145`; 1 to 64 of `A-Z a-z 0-9 . _ -`.
    pub uuid: String,
    /// `rust`, `python`, `nodejs` or `windows`.
    pub sdk_type: String,
    /// The SDK's semantic version.
    pub sdk_version: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whose machine it is.
    #[serde(default)]
    pub instance_type: InstanceType,
    /// What the machine is.
    #[serde(default)]
    pub hardware: Hardware,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Whom it works for.
    #[serde(default)]
    pub share: Share,
    /// The session token of the connection before, to go on with its session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<String>,
}

/// Whose machine a device is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum InstanceType {
    /// Contributed by somebody.
    #[default]
    User,
    /// Run by the operator in the cloud.
    Aws,
}

/// Whom a device works for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Share {
    /// Its owner only.
    #[default]
    Own,
    /// Other customers too.
    Everyone,
}

/// What a machine is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Hardware {
    /// `linux`, `macos`, `windows`…
    pub os: String,
    /// `x86_64`, `aarch64`…
    pub arch: String,
    /// The processor's name.
    pub cpu: String,
    /// Logical cores.
    pub cores: u32,
    /// Memory in MB.
    pub memory_mb: u64,
    /// The graphics processor, if there is one to compute on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu: Option<Gpu>,
}

/// A graphics processor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Gpu {
    /// Its name.
    pub name: String,
    /// Its memory in MB.
    pub memory_mb: u64,
}

/// What a device can do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Capabilities {
    /// `onnx`, `torchscript`.
    pub formats: Vec<String>,
    /// Runs inference.
    #[serde(default)]
    pub inference: bool,
    /// Runs training.
    #[serde(default)]
    pub training: bool,
    /// Computes on a graphics processor.
    #[serde(default)]
    pub gpu: bool,
    /// How many tasks it runs at once, 1 to 1024.
    pub slots: u32,
    /// The largest model it takes, in MB.
    pub max_model_mb: u64,
    /// Takes pieces of batches (`stacked` in `taskRun`), beside its slots.
    #[serde(default)]
    pub batches: bool,
}

/// I am alive; renews the session's lease.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "heartbeat")]
pub struct Heartbeat {
    /// Slots without work.
    pub slots_free: u32,
    /// Pieces of batches in hand, beside the slots.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub batches: u32,
    /// Checksums of the models that it has loaded.
    #[serde(default)]
    pub models: Vec<String>,
    /// How the machine is doing.
    #[serde(default)]
    pub metrics: Metrics,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// How a machine is doing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Metrics {
    /// Of all cores.
    pub cpu_percent: f64,
    /// Used by the agent, in MB.
    pub memory_mb: f64,
    /// Of the graphics processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_percent: Option<f64>,
    /// Drawn by the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_watts: Option<f64>,
}

/// The answer of an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "taskDone")]
pub struct TaskDone {
    /// As in `taskRun`.
    pub task_id: String,
    /// As in `taskRun`.
    pub attempt: u32,
    /// As in `taskRun`.
    pub fence: String,
    /// The model's outputs.
    pub outputs: Payload,
    /// Where the time went.
    #[serde(default)]
    pub timings_ms: DeviceTimings,
    /// What it cost the machine.
    #[serde(default)]
    pub usage: Usage,
}

/// Where the time went on the device, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceTimings {
    /// Fetching the model and the inputs.
    pub fetch: f64,
    /// Building the plan.
    pub load: f64,
    /// Waiting for a slot.
    pub queue: f64,
    /// Computing.
    pub compute: f64,
}

/// What a task cost the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Processor time in milliseconds.
    pub cpu_ms: f64,
    /// Time of the graphics processor in milliseconds.
    pub gpu_ms: f64,
    /// The most memory that the agent used so far, in MB.
    pub peak_memory_mb: f64,
    /// Bytes of the inputs.
    pub bytes_in: u64,
    /// Bytes of the outputs.
    pub bytes_out: u64,
}

/// The attempt did not work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "taskFailed")]
pub struct TaskFailed {
    /// As in `taskRun`.
    pub task_id: String,
    /// As in `taskRun`.
    pub attempt: u32,
    /// As in `taskRun`.
    pub fence: String,
    /// Why.
    pub error: TaskError,
}

/// Why an attempt did not work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskError {
    /// A short name, such as `MODEL_UNREADABLE`.
    pub code: String,
    /// What happened.
    pub message: String,
    /// Whether another device may succeed.
    #[serde(default)]
    pub retryable: bool,
}

/// The device does not take the attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "taskDeclined")]
pub struct TaskDeclined {
    /// As in `taskRun`.
    pub task_id: String,
    /// As in `taskRun`.
    pub attempt: u32,
    /// As in `taskRun`.
    pub fence: String,
    /// Why.
    pub reason: DeclineReason,
}

/// Why a device does not take work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeclineReason {
    /// All slots and the places behind them are taken.
    Busy,
    /// It cannot run this.
    Unsupported,
    /// Its owner does not want this, or it is leaving.
    Policy,
}

/// The device leaves; its work is given to others at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "bye")]
pub struct Bye {
    /// Why, for people.
    #[serde(default)]
    pub reason: String,
}
