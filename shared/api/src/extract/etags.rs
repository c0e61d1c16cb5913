//! `If-Match` and `If-None-Match` (RFC 9110, 13.1), and the answer to a caller that is up to date.

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, StatusCode, header, request::Parts};

use crate::Error;

/// The `If-Match` of a change: which state its caller knows. Everything matches when there is none.
pub struct IfMatch(Option<Tags>);

/// The `If-None-Match` of a look: which state its caller has.
pub struct IfNoneMatch(Option<Tags>);

enum Tags {
    /// `*`
    Any,
    /// Entity tags as they were sent, with quotes.
    These(Vec<String>),
}

impl IfMatch {
    /// Whether the thing with this tag is what the caller knows. Weak tags never match.
    pub fn allows(&self, tag: &str) -> bool {
        match &self.0 {
            None | Some(Tags::Any) => true,
            Some(Tags::These(tags)) => tags.iter().any(|known| *known == quoted(tag)),
        }
    }
}

impl IfNoneMatch {
    /// A thing with its tag; 304 without a body when the caller has it already. `body` is only made
    /// for others.
    ///
    /// # Errors
    /// Those of `body`.
    pub async fn answer<R, F>(self, tag: &str, body: impl FnOnce() -> F) -> Result<Response, Error>
    where
        R: IntoResponse,
        F: Future<Output = Result<R, Error>>,
    {
        let tag = quoted(tag);
        let has = match &self.0 {
            None => false,
            Some(Tags::Any) => true,
            Some(Tags::These(tags)) => {
                tags.iter().any(|known| known.strip_prefix("W/").unwrap_or(known) == tag)
            }
        };
        let etag = [(header::ETAG, tag)];
        if has {
            return Ok((StatusCode::NOT_MODIFIED, etag).into_response());
        }
        Ok((etag, body().await?).into_response())
    }
}

/// An entity tag as it stands in headers.
pub fn quoted(tag: &str) -> String {
    format!("\"{tag}\"")
}

fn read(headers: &HeaderMap, name: &HeaderName) -> Option<Tags> {
    let mut values = headers.get_all(name).iter().peekable();
    values.peek()?;
    let texts = values.filter_map(|value| value.to_str().ok());
    let tags: Vec<_> =
        texts.flat_map(|text| text.split(',')).map(|tag| tag.trim().to_owned()).collect();
    Some(if tags.iter().any(|tag| tag == "*") { Tags::Any } else { Tags::These(tags) })
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        Ok(Self(read(&parts.headers, &header::IF_MATCH)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Error> {
        Ok(Self(read(&parts.headers, &header::IF_NONE_MATCH)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn sent(name: HeaderName, values: &[&str]) -> Option<Tags> {
        let values = values.iter().map(|value| (name.clone(), value.parse().unwrap()));
        read(&values.collect(), &name)
    }

    #[test]
    fn a_change_is_allowed_on_what_the_caller_knows() {
        let allows = |values: &[&str]| IfMatch(sent(header::IF_MATCH, values)).allows("1-2-3");
        assert!(allows(&[]) && allows(&["*"]) && allows(&["\"1-2-3\""]));
        assert!(allows(&["\"1-1-1\", \"1-2-3\""]) && allows(&["\"1-1-1\"", "\"1-2-3\""]));
        assert!(!allows(&["\"1-1-1\""]) && !allows(&["W/\"1-2-3\""]) && !allows(&["1-2-3"]));
    }

    #[tokio::test]
    async fn who_is_up_to_date_is_sent_nothing() {
        for (values, status) in [
            (&[][..], StatusCode::OK),
            (&["\"1-2-3\""], StatusCode::NOT_MODIFIED),
            (&["W/\"1-2-3\""], StatusCode::NOT_MODIFIED),
            (&["\"1\", \"1-2-3\""], StatusCode::NOT_MODIFIED),
            (&["*"], StatusCode::NOT_MODIFIED),
            (&["\"1-2-4\""], StatusCode::OK),
        ] {
            let condition = IfNoneMatch(sent(header::IF_NONE_MATCH, values));
            let answer = condition.answer("1-2-3", async || Ok("body")).await.unwrap();
            assert_eq!(
                (answer.status(), answer.headers()[header::ETAG].to_str().unwrap()),
                (status, "\"1-2-3\"")
            );
        }
    }
}
