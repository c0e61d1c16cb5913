//! The agent against a platform that the test plays.
#![allow(clippy::unwrap_used, reason = "tests")]

mod connections;
mod heartbeats;
mod leaving;
mod limits;
mod logs;
mod support;
mod tasks;
