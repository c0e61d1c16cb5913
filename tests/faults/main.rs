//! What happens when processes die, stop and come back; with real processes and real signals.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod batch;
mod crash;
mod ending;
mod loss;
mod starting;
mod waiting;
