//! What the store does by itself once a second: expired items, the feed's end, and writes that
//! nobody waited for.

use std::{sync::Condvar, time::Duration};

use crate::{
    engine::Engine,
    expiry,
    lock::{Mutex, wait_timeout},
};

const PERIOD: Duration = Duration::from_secs(1);

/// Ends the loop of [`run`].
#[derive(Default)]
pub(crate) struct Stop {
    stopped: Mutex<bool>,
    wake: Condvar,
}

impl Stop {
    pub(crate) fn stop(&self) {
        *self.stopped.lock() = true;
        self.wake.notify_all();
    }

    fn is_stopped(&self) -> bool {
        *self.stopped.lock()
    }

    /// Waits for the next round; `true` when there is none.
    fn pause(&self) -> bool {
        let stopped = self.stopped.lock();
        *stopped || *wait_timeout(&self.wake, stopped, PERIOD)
    }
}

/// The body of the caretaker's thread.
pub(crate) fn run(engine: &Engine, stop: &Stop) {
    while !stop.pause() {
        loop {
            match expiry::sweep(engine) {
                Ok(true) if !stop.is_stopped() => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(%error, "expired records stay for now");
                    break;
                }
            }
        }
        if let Err(error) = engine.tend_feed() {
            tracing::warn!(%error, "the change feed is not trimmed for now");
        }
        // A failure is logged where it happens, and every later write is refused.
        let _ = engine.syncer.flush();
    }
}
