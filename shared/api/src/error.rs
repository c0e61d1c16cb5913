//! Errors as HTTP says them: the status, the code, the sentence. The only place where a refusal of
//! the service becomes a response, and where an internal cause is logged.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use protocol::rest::errors::{Envelope, Problem};

use crate::request_id;

/// A refusal on its way out.
#[derive(Debug)]
pub struct Error(service::Error);

/// What handlers return.
pub type Result<T> = std::result::Result<T, Error>;

impl<E: Into<service::Error>> From<E> for Error {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// Every code that an error can have; `docs/errors/{code}.md` explains each.
pub const CODES: [&str; 15] = [
    "AUTH_INVALID",
    "AUTH_REQUIRED",
    "CANNOT_CANCEL",
    "CONFLICT",
    "FORBIDDEN",
    "IDEMPOTENCY_MISMATCH",
    "INTERNAL_ERROR",
    "METHOD_NOT_ALLOWED",
    "NOT_FOUND",
    "NO_DEVICES",
    "NO_MODEL",
    "PAYLOAD_TOO_LARGE",
    "RATE_LIMITED",
    "UNSUPPORTED_MEDIA_TYPE",
    "VALIDATION_ERROR",
];

/// After how many seconds it is worth trying again when nobody could run the job.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("2");

impl Error {
    /// The status and the code, one of [`CODES`].
    pub fn parts(error: &service::Error) -> (StatusCode, &'static str) {
        use service::Error as E;
        match error {
            E::Invalid(_) => (StatusCode::BAD_REQUEST, "VALIDATION_ERROR"),
            E::AuthRequired(_) => (StatusCode::UNAUTHORIZED, "AUTH_REQUIRED"),
            E::AuthInvalid(_) => (StatusCode::UNAUTHORIZED, "AUTH_INVALID"),
            E::Forbidden(_) => (StatusCode::FORBIDDEN, "FORBIDDEN"),
            E::NotFound(_) => (StatusCode::NOT_FOUND, "NOT_FOUND"),
            E::NoModel(_) => (StatusCode::NOT_FOUND, "NO_MODEL"),
            E::MethodNotAllowed(_) => (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED"),
            E::Conflict(_) => (StatusCode::CONFLICT, "CONFLICT"),
            E::CannotCancel(_) => (StatusCode::CONFLICT, "CANNOT_CANCEL"),
            E::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE"),
            E::UnsupportedMediaType(_) => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE")
            }
            E::IdempotencyMismatch => (StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_MISMATCH"),
            E::NoDevices(_) => (StatusCode::SERVICE_UNAVAILABLE, "NO_DEVICES"),
            E::RateLimited(..) => (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED"),
            E::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, code) = Self::parts(&self.0);
        let request_id = request_id::current();
        if let service::Error::Internal(cause) = &self.0 {
            tracing::error!(request.id = request_id, %cause, "a request failed");
        }
        let message = self.0.to_string();
        let retry_after = match &self.0 {
            service::Error::NoDevices(_) => Some(RETRY_AFTER),
            service::Error::RateLimited(_, seconds) => Some((*seconds).into()),
            _ => None,
        };
        let details = match self.0 {
            service::Error::Invalid(details) => details,
            _ => Vec::new(),
        };
        let error = Problem { code: code.to_owned(), message, request_id, details };
        let mut response = (status, axum::Json(Envelope { error })).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use service::Error as E;

    use super::*;

    /// One error of each kind, in turn. A new kind does not compile until it is added here.
    fn after(error: &E) -> Option<E> {
        let text = String::new;
        Some(match error {
            E::Invalid(_) => E::AuthRequired(text()),
            E::AuthRequired(_) => E::AuthInvalid(text()),
            E::AuthInvalid(_) => E::Forbidden(text()),
            E::Forbidden(_) => E::NotFound(text()),
            E::NotFound(_) => E::NoModel(text()),
            E::NoModel(_) => E::Conflict(text()),
            E::Conflict(_) => E::CannotCancel(domain::job::State::Completed),
            E::CannotCancel(_) => E::IdempotencyMismatch,
            E::IdempotencyMismatch => E::NoDevices(text()),
            E::NoDevices(_) => E::RateLimited(text(), 1),
            E::RateLimited(..) => E::TooLarge(text()),
            E::TooLarge(_) => E::UnsupportedMediaType(text()),
            E::UnsupportedMediaType(_) => E::MethodNotAllowed(text()),
            E::MethodNotAllowed(_) => E::internal("a cause"),
            E::Internal(_) => return None,
        })
    }

    #[test]
    fn the_codes_are_those_of_the_errors() {
        let kinds = std::iter::successors(Some(E::invalid("path", "message")), after);
        let mut codes: Vec<_> = kinds.map(|error| Error::parts(&error).1).collect();
        codes.sort_unstable();
        assert_eq!(codes, CODES);
    }
}
