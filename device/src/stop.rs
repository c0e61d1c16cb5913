//! How an agent is ended: politely, or at once.

use tokio_util::sync::CancellationToken;

/// Ends an agent; clones end the same one.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    drain: CancellationToken,
    now: CancellationToken,
}

impl Stop {
    /// Of an agent that runs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes nothing new, finishes what it has, waits for its acknowledgement and leaves.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// Leaves at once; the platform gives its work to others.
    pub fn now(&self) {
        self.drain.cancel();
        self.now.cancel();
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    pub(crate) async fn draining(&self) {
        self.drain.cancelled().await;
    }

    pub(crate) async fn immediately(&self) {
        self.now.cancelled().await;
    }
}
