//! The error envelope, the same on every path.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `{"error": {…}}`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Envelope {
    /// What went wrong.
    pub error: Problem,
}

/// What went wrong and what to change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A stable name for programs, such as `VALIDATION_ERROR`; `docs/errors/` has a page for each.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// Finds the request in the platform's log.
    pub request_id: String,
    /// Each fault with its place, where there can be several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail>,
}

/// One fault and its place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Detail {
    /// Such as `input.data[3]`.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}
