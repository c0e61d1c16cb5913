//! Jobs on their way to a device: sent, declined, parked, lost and found, over the real store, with
//! the tests in the place of the devices, the queue's consumer and the timer.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod adapted;
mod disk;
mod formats;
mod letters;
mod parked;
mod submitted;
mod swept;
mod waiting;
