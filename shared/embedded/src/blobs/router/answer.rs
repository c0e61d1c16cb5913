//! Refusals, in the platform's error envelope.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use ports::Error;
use serde_json::json;

use crate::blobs::presigned::Refusal;

/// Why a presigned URL was not served.
pub(super) struct Refused {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// What of the request is not valid.
    path: Option<&'static str>,
    /// The size of the object, when the range was the matter.
    size: Option<u64>,
}

impl Refused {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), path: None, size: None }
    }

    /// As the API says it: one detail, and the message made of it.
    fn invalid(status: StatusCode, path: &'static str, message: impl Into<String>) -> Self {
        Self { path: Some(path), ..Self::new(status, "VALIDATION_ERROR", message) }
    }

    pub(super) fn method() -> Self {
        let message = "use GET or PUT, whichever the URL was made for";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message)
    }

    pub(super) fn incomplete() -> Self {
        let message = "the URL is not complete: use it exactly as it was given, with its query";
        Self::new(StatusCode::FORBIDDEN, "FORBIDDEN", message)
    }

    pub(super) fn range(size: u64) -> Self {
        let message = format!("lies outside of the object, which has {size} bytes");
        let status = StatusCode::RANGE_NOT_SATISFIABLE;
        Self { size: Some(size), ..Self::invalid(status, "Range", message) }
    }

    pub(super) fn too_large(max: u64) -> Self {
        let message = format!("at most {max} bytes are taken at once: use an upload in parts");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", message)
    }

    pub(super) fn interrupted() -> Self {
        let message = "the transfer ended early: send the bytes again";
        Self::invalid(StatusCode::BAD_REQUEST, "body", message)
    }

    pub(super) fn answer(self, request_id: &str) -> Response {
        let mut error = json!({"code": self.code, "request_id": request_id});
        error["message"] = match self.path {
            Some(path) => {
                error["details"] = json!([{"path": path, "message": self.message}]);
                format!("{path}: {}", self.message).into()
            }
            None => self.message.into(),
        };
        let mut answer = (self.status, Json(json!({ "error": error }))).into_response();
        if let Some(size) = self.size
            && let Ok(value) = HeaderValue::try_from(format!("bytes */{size}"))
        {
            answer.headers_mut().insert(header::CONTENT_RANGE, value);
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, PUT"));
        }
        answer
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let message = match refusal {
            Refusal::Expired => "the URL has expired: ask for a new one",
            Refusal::Forged => {
                "the signature does not match: use the URL exactly as it was given, with the \
                 method it was made for"
            }
        };
        Self::new(StatusCode::FORBIDDEN, "FORBIDDEN", message)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(message) => Self::invalid(StatusCode::BAD_REQUEST, "body", message),
            Error::NotFound(_) => {
                let message = "there is nothing here (any more)";
                Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", message)
            }
            error => {
                tracing::error!(%error, "serving a blob failed");
                let message = "the transfer failed inside of the platform: try again";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", message)
            }
        }
    }
}
