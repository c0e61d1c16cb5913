//! `limit` and `cursor` of lists.

use axum::extract::FromRequestParts;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::request::Parts;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{Error, Query};

/// Which page of a list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// How many at most: 1 to 200.
    #[param(default = 50, minimum = 1, maximum = 200, required = false)]
    pub limit: usize,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// A position in a list, as clients carry it: opaque.
pub fn encode_cursor(position: Option<String>) -> Option<String> {
    position.map(|position| URL_SAFE_NO_PAD.encode(position))
}

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Text {
            limit: Option<String>,
            cursor: Option<String>,
        }
        let Query(text) = Query::<Text>::from_request_parts(parts, state).await?;
        let limit = match text.limit {
            None => 50,
            Some(text) => {
                text.parse().ok().filter(|limit| (1..=200).contains(limit)).ok_or_else(|| {
                    service::Error::invalid("limit", "expected a whole number from 1 to 200")
                })?
            }
        };
        let cursor = text.cursor.map(|cursor| {
            let bytes = URL_SAFE_NO_PAD.decode(&cursor).ok();
            bytes
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .filter(|position| (1..=512).contains(&position.len()))
                .ok_or_else(|| {
                    service::Error::invalid(
                        "cursor",
                        "take it unchanged from `next_cursor` of a page",
                    )
                })
        });
        Ok(Self { limit, cursor: cursor.transpose()? })
    }
}
