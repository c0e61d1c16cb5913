//! The system's clock and its source of randomness: the port as the store on this machine and the one
//! on AWS both have it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant, SystemTime},
};

use async_trait::async_trait;
use ports::Clock;
use rand::RngCore;

/// Follows the wall clock forwards only: where that is set back, time goes on at its usual pace.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    /// The greatest difference seen between the wall clock and the time since `started`.
    offset_us: AtomicU64,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl SystemClock {
    /// A clock that starts at the wall clock's time.
    pub fn new() -> Self {
        Self { started: Instant::now(), offset_us: AtomicU64::new(0) }
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now_us(&self) -> u64 {
        let elapsed = self.started.elapsed().as_micros() as u64;
        let wall = wall_us().saturating_sub(elapsed);
        let before = self.offset_us.fetch_max(wall, Ordering::Relaxed);
        before.max(wall) + elapsed
    }

    fn id(&self, prefix: &str) -> String {
        let mut random = [0; 10];
        self.random(&mut random);
        let uuid = uuid::Builder::from_unix_timestamp_millis(self.now_ms(), &random).into_uuid();
        format!("{prefix}_{}", uuid.simple())
    }

    fn random(&self, bytes: &mut [u8]) {
        // ChaCha, seeded by the operating system and again after every 64 KB
        rand::rng().fill_bytes(bytes);
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the clock that all others ask")]
fn wall_us() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_micros() as u64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_wall_clock_that_was_ahead_is_not_followed_back() {
        let clock = SystemClock::new();
        let ahead = clock.now_us() + 3_600_000_000;
        clock.offset_us.store(ahead, Ordering::Relaxed);
        assert!(clock.now_us() >= ahead);
    }
}
