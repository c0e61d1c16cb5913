//! What can go wrong behind a port.

use crate::Item;

/// The result of a port's operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The write's condition did not hold; nothing was written. Carries the item as it was, when
    /// there was one.
    #[error("the condition of the write did not hold")]
    ConditionFailed(Option<Item>),
    /// The socket is closed; it will never take a message again (API Gateway's `GoneException`).
    #[error("the connection is gone")]
    Gone,
    /// What was asked for is not there, such as an upload that was aborted.
    #[error("not found: {0}")]
    NotFound(String),
    /// The request itself is wrong: too large, malformed, or a checksum that does not match.
    #[error("invalid request: {0}")]
    Invalid(String),
    /// The calling function did not declare that it uses this.
    #[error("{function} is not allowed to {action}: add it to the function's `uses`")]
    Forbidden {
        /// The function's name.
        function: &'static str,
        /// What it tried.
        action: String,
    },
    /// The store, the network or the other side failed; trying again may help.
    #[error("unavailable: {0}")]
    Unavailable(String),
}

impl Error {
    /// Wraps a lower-level failure that may pass.
    pub fn unavailable(cause: impl std::fmt::Display) -> Self {
        Self::Unavailable(cause.to_string())
    }
}
