//! The path, the query, and headers with a meaning.

use axum::extract::{FromRequestParts, rejection::PathRejection};
use http::{HeaderMap, header, request::Parts};
use serde::de::DeserializeOwned;
use service::App;

use crate::Error;

/// A parameter of the path.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let found: Result<_, PathRejection> =
            axum::extract::Path::<T>::from_request_parts(parts, state).await;
        let axum::extract::Path(value) =
            found.map_err(|error| service::Error::invalid("path", error.body_text()))?;
        Ok(Self(value))
    }
}

/// The query string.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let axum::extract::Query(value) =
            axum::extract::Query::<T>::from_request_parts(parts, state)
                .await
                .map_err(|error| service::Error::invalid("query", error.body_text()))?;
        Ok(Self(value))
    }
}

/// The `Idempotency-Key`, if there is one: 1 to 255 printable ASCII characters.
pub struct IdempotencyKey(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        match value.to_str() {
            Ok(text) if (1..=255).contains(&text.len()) => Ok(Self(Some(text.to_owned()))),
            _ => Err(service::Error::invalid(
                "Idempotency-Key",
                "expected 1 to 255 printable ASCII characters",
            )
            .into()),
        }
    }
}

/// Where the caller reached the platform, `scheme://host:port`, for URLs in answers.
pub struct Base(pub String);

impl Base {
    /// By the deployment's setting, else by what the caller dialled.
    pub fn of(app: &App, headers: &HeaderMap) -> String {
        if let Some(url) = &app.settings().public_url {
            return url.clone();
        }
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text(header::HOST.as_str()).unwrap_or("localhost");
        let scheme = text("x-forwarded-proto").filter(|s| *s == "https").unwrap_or("http");
        format!("{scheme}://{host}")
    }
}

impl FromRequestParts<App> for Base {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        Ok(Self(Self::of(app, &parts.headers)))
    }
}
