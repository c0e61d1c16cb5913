//! Health.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Alive, and which version.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `healthy`.
    pub status: String,
    /// The platform's version.
    pub version: String,
    /// RFC 3339, UTC.
    pub timestamp: String,
}

/// Every service with its state and what it holds.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Detailed {
    /// `healthy`, or `degraded` when a service is not.
    pub status: String,
    /// The platform's version.
    pub version: String,
    /// By service.
    pub services: BTreeMap<String, Service>,
    /// Slots over all connected devices.
    pub resources: Resources,
    /// Unfinished work.
    pub jobs: Jobs,
}

/// One service.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Service {
    /// `healthy` or `unhealthy`.
    pub status: String,
    /// What it holds, by name.
    #[serde(flatten)]
    pub counts: BTreeMap<String, u64>,
}

/// Slots over all connected devices.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Resources {
    /// All slots.
    pub slots: u64,
    /// Those without work when the devices last spoke.
    pub slots_free: u64,
}

/// Unfinished work.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Jobs {
    /// Waiting for a device.
    pub queued: u64,
    /// On a device.
    pub running: u64,
}
