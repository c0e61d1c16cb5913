//! Versions and revisions of models, over the real store of one machine.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod deleted;
mod revisions;
mod steps;
mod versions;

use dcmp_service::{Error, Result};

/// The sentence of a refusal.
#[track_caller]
fn refusal<T>(result: Result<T>) -> String {
    let error: Error = result.err().unwrap();
    assert!(!matches!(error, Error::Internal(_)), "{error:?}");
    error.to_string()
}
