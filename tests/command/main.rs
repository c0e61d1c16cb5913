//! The `dcmp` command as people and scripts use it: what it prints where, and how it ends.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod batches;
mod connection;
mod datasets;
mod demo;
mod device;
mod devices;
mod inference;
mod jobs;
mod keys;
mod login;
mod models;
mod shell;
mod tls;
mod up;
mod uploads;
