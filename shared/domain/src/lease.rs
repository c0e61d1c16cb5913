//! The numbers that decide when work is given to somebody else.

/// Leases and time limits, in milliseconds where not said otherwise. Settings, so that tests can
/// shorten them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Between two heartbeats of a device that has work.
    pub heartbeat_ms: u64,
    /// Without a heartbeat for so long a session's work is given to others.
    pub lease_ms: u64,
    /// What is left of a lease when the socket closes.
    pub closed_grace_ms: u64,
    /// How many devices are asked at most, hedges included.
    pub max_attempts: u32,
    /// The shortest patience with a slow device.
    pub hedge_floor_ms: u64,
    /// Patience as a multiple of the model's usual latency.
    pub hedge_factor: f64,
    /// How long a sync call waits by default.
    pub sync_default_ms: u64,
    /// How long a sync call waits at most; HTTP integrations end at 30 s.
    pub sync_max_ms: u64,
    /// When a customer's oldest job has waited for so long for a device, no more are taken.
    pub backlog_ms: u64,
    /// How long a job lives by default.
    pub deadline_default_ms: u64,
    /// How long a job may live.
    pub deadline_max_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            heartbeat_ms: 5_000,
            lease_ms: 15_000,
            closed_grace_ms: 2_000,
            max_attempts: 3,
            hedge_floor_ms: 1_000,
            hedge_factor: 4.0,
            sync_default_ms: 20_000,
            sync_max_ms: 25_000,
            backlog_ms: 240_000,
            deadline_default_ms: 300_000,
            deadline_max_ms: 24 * 3_600_000,
        }
    }
}

impl Settings {
    /// How long an attempt may take before another device is asked too.
    pub fn patience_ms(&self, usual_ms: Option<f64>) -> u64 {
        let usual = usual_ms.unwrap_or(0.0) * self.hedge_factor;
        self.hedge_floor_ms.max(usual as u64)
    }
}
