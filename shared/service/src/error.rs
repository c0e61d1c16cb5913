//! Why a use case was refused, in words for the caller; translated to HTTP once, at the edge.

use domain::job::State;
use protocol::{rest::errors::Detail, tensor};

/// The result of a use case.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a use case was refused. Texts are for the caller and never hold an internal cause.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is wrong; each detail says where and what to change.
    #[error("{}", summary(.0))]
    Invalid(Vec<Detail>),
    /// A header with a key is missing.
    #[error("{0}")]
    AuthRequired(String),
    /// The key is unknown, expired or revoked.
    #[error("{0}")]
    AuthInvalid(String),
    /// The key is right and does not open this.
    #[error("{0}")]
    Forbidden(String),
    /// There is no such thing, or it is somebody else's.
    #[error("{0}")]
    NotFound(String),
    /// The body names no model of the caller's; of one that the path names it is `NotFound`.
    #[error("{0}")]
    NoModel(String),
    /// Another request is in the way.
    #[error("{0}")]
    Conflict(String),
    /// The job is over.
    #[error("the job is {} and cannot be cancelled any more", .0.name())]
    CannotCancel(State),
    /// The `Idempotency-Key` was used with another request.
    #[error(
        "this Idempotency-Key was used with a different request before; send the same body again or choose a new key"
    )]
    IdempotencyMismatch,
    /// Nothing that could run the job is connected.
    #[error("{0}")]
    NoDevices(String),
    /// There is too much of the caller's already; after so many seconds it may be otherwise.
    #[error("{0}")]
    RateLimited(String, u64),
    /// The body is too large.
    #[error("{0}")]
    TooLarge(String),
    /// The body is of a kind that is not understood.
    #[error("{0}")]
    UnsupportedMediaType(String),
    /// The path is served, but not with this method.
    #[error("{0}")]
    MethodNotAllowed(String),
    /// Ours; the cause goes to the log, never to the caller.
    #[error("the platform failed to handle the request; it is safe to try again")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

fn summary(details: &[Detail]) -> String {
    match details {
        [] => "the request is not valid".to_owned(),
        [only] => format!("{}: {}", only.path, only.message),
        [first, rest @ ..] => {
            format!("{}: {} (and {} more, see details)", first.path, first.message, rest.len())
        }
    }
}

impl Error {
    /// One fault of the request at `path`.
    pub fn invalid(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![Detail { path: path.into(), message: message.into() }])
    }

    /// Something of ours broke.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }

    pub(crate) fn no_model(id: &str) -> Self {
        let hint = match id.contains('@') {
            true => "name it without its version here",
            false => "GET /api/v1/models lists yours",
        };
        Self::NoModel(format!("there is no model `{id}`; {hint}"))
    }

    /// The same of a model that the path names.
    pub(crate) fn in_path(self) -> Self {
        match self {
            Self::NoModel(message) => Self::NotFound(message),
            other => other,
        }
    }

    pub(crate) fn no_dataset(id: &str) -> Self {
        Self::NotFound(format!("there is no dataset `{id}`; GET /api/v1/datasets lists yours"))
    }

    pub(crate) fn no_job(id: &str) -> Self {
        Self::NotFound(format!("there is no inference job `{id}`"))
    }

    pub(crate) fn no_device(id: &str) -> Self {
        Self::NotFound(format!(
            "there is no device `{id}`; GET /api/v1/devices lists those you can use"
        ))
    }
}

impl From<ports::Error> for Error {
    fn from(error: ports::Error) -> Self {
        Self::internal(error)
    }
}

impl From<tensor::Invalid> for Error {
    fn from(error: tensor::Invalid) -> Self {
        Self::invalid(error.path, error.message)
    }
}
