//! Batches: cut, given out, counted and ended, over the real store.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod accepted;
mod counted;
mod ended;
mod turns;
