//! Files by URL: models and large inputs come, large outputs go.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{Client, Method, Response, StatusCode, Url, header::LOCATION, redirect};
use sha2::{Digest, Sha256};

/// Why a file did not come or go.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(pub String);

const ATTEMPTS: u32 = 3;
const MAX_REDIRECTS: usize = 5;

/// An HTTP client with patience.
#[derive(Clone)]
pub(crate) struct Http {
    client: Client,
}

impl Http {
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        // Whoever was first has chosen; the choice is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            Client::builder()
                .redirect(redirect::Policy::none())
                .connect_timeout(Duration::from_secs(10))
                .read_timeout(Duration::from_secs(30))
        };
        // A machine without any certificates can still be used over plain HTTP.
        let client = builder().build().or_else(|_| builder().tls_certs_only([]).build())?;
        Ok(Self { client })
    }

    /// Opens a file for reading. The session token is shown to `url` only, not where it redirects to.
    pub(crate) async fn open(&self, url: Url, token: Option<&str>) -> Result<Response, Failure> {
        let mut url = url;
        let mut token = token;
        for _ in 0..=MAX_REDIRECTS {
            let response = self
                .send(|| {
                    let request = self.client.request(Method::GET, url.clone());
                    match token {
                        Some(token) => request.header("X-SDK-Token", token),
                        None => request,
                    }
                })
                .await?;
            if !response.status().is_redirection() {
                return success(response, "reading");
            }
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            url = location
                .and_then(|location| url.join(location).ok())
                .ok_or_else(|| Failure("a redirect without a usable address".to_owned()))?;
            token = None;
        }
        Err(Failure("too many redirects".to_owned()))
    }

    /// Reads a whole file of at most `limit` bytes and checks it against its checksum.
    pub(crate) async fn bytes(
        &self,
        url: &str,
        limit: u64,
        checksum: &str,
    ) -> Result<Bytes, Failure> {
        let url = parse(url)?;
        let mut response = self.open(url, None).await?;
        let mut bytes = Vec::with_capacity(limit.min(1 << 20) as usize);
        let mut hash = Sha256::new();
        while let Some(chunk) = chunk(&mut response).await? {
            if (bytes.len() + chunk.len()) as u64 > limit {
                return Err(Failure(format!("longer than the {limit} bytes that were announced")));
            }
            hash.update(&chunk);
            bytes.extend_from_slice(&chunk);
        }
        let is = checksum_text(hash);
        if is == checksum {
            Ok(bytes.into())
        } else {
            Err(Failure(format!("its checksum is {is}, not {checksum}")))
        }
    }

    /// Stores a file where a presigned URL says.
    pub(crate) async fn put(&self, url: &str, bytes: Bytes) -> Result<(), Failure> {
        let url = parse(url)?;
        let response = self.send(|| self.client.put(url.clone()).body(bytes.clone())).await?;
        success(response, "storing").map(|_| ())
    }

    /// Sends until there is an answer that is no trouble of the moment.
    async fn send(
        &self,
        request: impl Fn() -> reqwest::RequestBuilder,
    ) -> Result<Response, Failure> {
        let mut attempt = 1;
        loop {
            let result = request().send().await;
            let passing = match &result {
                Ok(response) => {
                    response.status().is_server_error()
                        || response.status() == StatusCode::TOO_MANY_REQUESTS
                }
                Err(error) => !error.is_builder(),
            };
            if !passing || attempt == ATTEMPTS {
                return result.map_err(|error| Failure(explain(error)));
            }
            tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
            attempt += 1;
        }
    }
}

/// The next piece of a file.
pub(crate) async fn chunk(response: &mut Response) -> Result<Option<Bytes>, Failure> {
    response.chunk().await.map_err(|error| Failure(explain(error)))
}

pub(crate) fn parse(url: &str) -> Result<Url, Failure> {
    Url::parse(url).map_err(|error| Failure(format!("not a URL: {error}")))
}

/// A digest as it is written.
pub(crate) fn checksum_text(hash: Sha256) -> String {
    format!("sha256:{}", hex::encode(hash.finalize()))
}

fn success(response: Response, what: &str) -> Result<Response, Failure> {
    let status = response.status();
    if status.is_success() {
        Ok(response)
    } else {
        Err(Failure(format!("{what} was answered with {status}")))
    }
}

/// Without the URL: a presigned one is a secret.
fn explain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
