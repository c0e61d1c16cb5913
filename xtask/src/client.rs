//! A platform's HTTP API, as a customer's program uses it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;

/// How long anything may take to come about: a minute's schedule, and some.
const PATIENCE: Duration = Duration::from_secs(150);

/// A client with a key in a header.
#[derive(Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
    base: String,
    header: &'static str,
    key: String,
}

impl Api {
    pub(crate) fn new(base: &str, header: &'static str, key: &str) -> Result<Self> {
        // a second one in a process is no harm
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build()?;
        Ok(Self { http, base: format!("{base}/api/v1"), header, key: key.to_owned() })
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).header(self.header, &self.key)
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        succeeded(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        succeeded(self.request(Method::POST, path).json(body)).await
    }

    /// Asks again until `look` finds what it looks for.
    pub(crate) async fn until<T>(
        &self,
        path: &str,
        what: &str,
        look: impl Fn(&Value) -> Option<T>,
    ) -> Result<T> {
        let begun = Instant::now();
        loop {
            let body = self.get(path).await?;
            if let Some(found) = look(&body) {
                return Ok(found);
            }
            ensure!(begun.elapsed() < PATIENCE, "{what} did not come about: {body}");
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
}

/// The answer's status and JSON.
pub(crate) async fn answer(request: RequestBuilder) -> Result<(StatusCode, Value)> {
    let response = request.send().await?;
    let status = response.status();
    let text = response.text().await?;
    let body = if text.is_empty() { Ok(Value::Null) } else { serde_json::from_str(&text) };
    Ok((status, body.with_context(|| format!("{status} with {text:?}"))?))
}

async fn succeeded(request: RequestBuilder) -> Result<Value> {
    let (status, body) = answer(request).await?;
    ensure!(status.is_success(), "{status}: {body}");
    Ok(body)
}
