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

/// After how many seconds it is worth trying again when nobody could run the job.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("2");

impl Error {
    /// The status and the code; `docs/errors/{code}.md` explains each code.
    fn parts(&self) -> (StatusCode, &'static str) {
        use service::Error as E;
        match &self.0 {
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
            E::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
        }
    }

    /// The code and the sentence, for callers that are not HTTP.
    pub fn describe(&self) -> (&'static str, String) {
        (self.parts().1, self.0.to_string())
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, code) = self.parts();
        let request_id = request_id::current();
        if let service::Error::Internal(cause) = &self.0 {
            tracing::error!(request.id = request_id, %cause, "a request failed");
        }
        let message = self.0.to_string();
        let details = match self.0 {
            service::Error::Invalid(details) => details,
            _ => Vec::new(),
        };
        let error = Problem { code: code.to_owned(), message, request_id, details };
        let mut response = (status, axum::Json(Envelope { error })).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        response
    }
}
