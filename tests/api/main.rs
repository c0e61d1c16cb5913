//! The API against its contract, through a real `dcmp up`.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod models;
