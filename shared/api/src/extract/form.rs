//! Forms with files (`multipart/form-data`), read as they come.

use axum::{
    extract::multipart::{Field, MultipartError},
    http::StatusCode,
};
use bytes::{Bytes, BytesMut};
use service::Error;

/// The content of a field, unless it is over `limit` bytes: then `too_large` says so.
///
/// # Errors
/// `TooLarge`, and `Invalid` for a form that breaks off.
pub async fn read_field(
    mut field: Field<'_>,
    limit: usize,
    too_large: impl Fn() -> String,
) -> crate::Result<Bytes> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = field.chunk().await.map_err(malformed)? {
        if bytes.len() + chunk.len() > limit {
            return Err(Error::TooLarge(too_large()).into());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

/// The refusal of a field that is there again.
pub fn twice(name: &str) -> Error {
    Error::invalid(name, "is there twice; send it once")
}

/// The refusal of a form that cannot be read.
pub fn malformed(error: MultipartError) -> Error {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Error::TooLarge("the form is larger than any that is taken; send less".to_owned());
    }
    Error::invalid("body", format!("not a complete multipart form: {}", error.body_text()))
}
