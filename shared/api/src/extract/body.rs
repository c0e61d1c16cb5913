//! JSON bodies, with errors that name the field.

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::header;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use service::Error;
use sha2::{Digest, Sha256};

use crate::MAX_JSON;

/// A JSON body that was read.
pub struct Json<T>(pub T);

/// A JSON body with the bytes that it was.
pub struct Body<T> {
    /// What it says.
    pub value: T,
    bytes: Bytes,
}

impl<T> Body<T> {
    /// SHA-256 of the body, in hex: what an `Idempotency-Key` compares.
    pub fn fingerprint(&self) -> String {
        hex::encode(Sha256::digest(&self.bytes))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = crate::Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, crate::Error> {
        Ok(Self(Body::from_request(request, state).await?.value))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = crate::Error;

    async fn from_request(request: Request, _state: &S) -> Result<Self, crate::Error> {
        if !is_json(&request) {
            let message = "send the body as JSON with `Content-Type: application/json`";
            return Err(Error::UnsupportedMediaType(message.to_owned()).into());
        }
        let too_large = || {
            Error::TooLarge(format!(
                "a JSON body may have {} MB; send less at once",
                MAX_JSON >> 20
            ))
        };
        let announced = request.headers().get(header::CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > MAX_JSON) {
            return Err(too_large().into());
        }
        let bytes =
            axum::body::to_bytes(request.into_body(), MAX_JSON).await.map_err(|_| too_large())?;
        // a list of the fields' values would do for serde
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            let message = "expected a JSON object, such as {\"name\": \"value\"}";
            return Err(Error::invalid("body", message).into());
        }
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Self { value, bytes }),
            Err(_) => Err(explain::<T>(&bytes).into()),
        }
    }
}

/// Whether the body says that it is JSON.
pub fn is_json(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    essence.is_some_and(|kind| {
        kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json")
    })
}

/// Reads the body once more to find out where it is wrong; only runs when it is.
fn explain<T: DeserializeOwned>(bytes: &[u8]) -> Error {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let error = match serde_path_to_error::deserialize::<_, T>(&mut json) {
        Err(error) => error,
        Ok(_) => return Error::invalid("body", "there is more behind the end of the JSON value"),
    };
    let path = error.path().to_string();
    let inner = error.into_inner();
    if inner.classify() != Category::Data {
        return Error::invalid("body", format!("not valid JSON: {inner}"));
    }
    let message = inner.to_string();
    // the position is of no use to a reader who has the path
    let message = message.split(" at line ").next().unwrap_or(&message);
    let path = if path == "." { String::new() } else { path };
    if let Some(field) = message.strip_prefix("missing field `").and_then(|f| f.strip_suffix('`')) {
        let path = if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
        return Error::invalid(path, "missing; it is required");
    }
    Error::invalid(if path.is_empty() { "body".to_owned() } else { path }, message.to_owned())
}
