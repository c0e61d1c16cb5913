//! Time, ids and randomness; nothing else in the platform reads them from the system.

use std::time::Duration;

use async_trait::async_trait;

/// The clock.
///
/// An implementation MUST:
/// * **K1** never let `now_us` go back within one process;
/// * **K2** make ids that are unique, and that sort by the time of their making to the millisecond;
/// * **K3** fill `random` from a source fit for secrets (the simulation's, fit for its seed);
/// * **K4** not return from `sleep` early.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Microseconds since 1970-01-01T00:00:00Z.
    fn now_us(&self) -> u64;

    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn now_ms(&self) -> u64 {
        self.now_us() / 1000
    }

    /// A new id: the prefix, `_`, and the 32 hex digits of a UUIDv7 (RFC 9562 §5.7).
    fn id(&self, prefix: &str) -> String;

    /// Fills `bytes` with random ones.
    fn random(&self, bytes: &mut [u8]);

    /// Waits.
    async fn sleep(&self, duration: Duration);
}
