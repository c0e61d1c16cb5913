//! Devices.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::socket::LogLine;

/// A device as its owner sees it; of somebody else's shared device, name, uuid, hardware and
/// metrics are left out.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Device {
    /// `dev_…`
    pub id: String,
    /// Chosen by the device.
    pub uuid: Option<String>,
    /// What its owner calls it.
    pub name: Option<String>,
    /// `idle`, `busy`, `draining` or `offline`.
    pub status: String,
    /// `rust`, `python`, `nodejs` or `windows`.
    pub sdk_type: String,
    /// Semantic version.
    pub sdk_version: String,
    /// Operating system and architecture, such as `linux/x86_64`.
    pub platform: String,
    /// `user` or `aws`.
    pub instance_type: String,
    /// `own` or `everyone`.
    pub share: String,
    /// Whether it is the caller's.
    pub owned: bool,
    /// What the machine is.
    #[schema(value_type = Option<Object>)]
    pub hardware: Option<Value>,
    /// What it can do.
    #[schema(value_type = Object)]
    pub capabilities: Value,
    /// What it did.
    pub metrics: Option<Metrics>,
    /// Tasks on it when it last spoke.
    pub current_tasks: u32,
    /// RFC 3339, UTC.
    pub connected_at: String,
    /// RFC 3339, UTC.
    pub last_seen_at: String,
}

/// What a device did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Metrics {
    /// Results that counted.
    pub tasks_completed: u64,
    /// Attempts that failed or were lost.
    pub tasks_failed: u64,
    /// Mean time of the completed jobs.
    pub avg_latency_ms: f64,
    /// Processor time of the results that counted.
    pub cpu_ms: u64,
    /// Time of the graphics processor, likewise.
    pub gpu_ms: u64,
}

/// A page of devices.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Devices {
    /// The caller's own, then the shared ones.
    pub devices: Vec<Device>,
    /// How many there are on all pages.
    pub total: u64,
    /// Give it as `cursor` for the next page; `null` on the last.
    pub next_cursor: Option<String>,
}

/// Sums over the devices that the caller can use.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Stats {
    /// All of them, connected or not.
    pub total: u64,
    /// By state.
    pub by_status: BTreeMap<String, u64>,
    /// By SDK.
    pub by_sdk_type: BTreeMap<String, u64>,
    /// By kind of machine.
    pub by_instance_type: BTreeMap<String, u64>,
    /// Slots of the connected ones.
    pub slots: u64,
    /// Those without work when the devices last spoke.
    pub slots_free: u64,
    /// Results that counted, of the caller's own devices.
    pub tasks_completed: u64,
    /// Attempts that failed or were lost, of the caller's own devices.
    pub tasks_failed: u64,
}

/// A device's recent log.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Logs {
    /// `logs_…`, of this question.
    pub request_id: String,
    /// `dev_…`
    pub device_id: String,
    /// `complete`.
    pub status: String,
    /// Oldest first.
    pub logs: Vec<LogLine>,
}

/// The device has not answered yet.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LogsPending {
    /// `logs_…`, of this question.
    pub request_id: String,
    /// `dev_…`
    pub device_id: String,
    /// `pending`.
    pub status: String,
    /// Where its answer will be, for an hour.
    pub poll_url: String,
}
