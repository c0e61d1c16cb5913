//! Calling another of the platform's functions.

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Error, Result};

/// The largest request and the largest response of a call, in bytes.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const MAX_PAYLOAD: usize = 6 * 1024 * 1024;

/// Whether a request or a response of `function` is small enough.
///
/// # Errors
/// [`Invalid`](Error::Invalid) with the limit.
pub fn check_size(what: &str, function: &str, bytes: &Bytes) -> Result<()> {
    if bytes.len() <= MAX_PAYLOAD {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "the {what} of the function `{function}` has {} bytes, {MAX_PAYLOAD} are allowed: \
         pass large data as a blob",
        bytes.len()
    )))
}

/// Calling another function and waiting for its answer (Lambda's `RequestResponse`).
///
/// An implementation MUST:
/// * **F1** answer [`NotFound`](crate::Error::NotFound) for a name that is no function;
/// * **F2** refuse a request or a response over [`MAX_PAYLOAD`] as `Invalid`;
/// * **F3** end the wait at the function's own time limit with `Unavailable`;
/// * **F4** turn a panic of the called function into `Unavailable`, leaving the caller unharmed.
#[async_trait]
pub trait Functions: Send + Sync {
    /// Calls `function` with a JSON payload; the answer is its JSON result.
    async fn call(&self, function: &str, payload: Bytes) -> Result<Bytes>;
}
