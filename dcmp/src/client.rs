//! The client of the API: one place that knows addresses, keys and what answers mean.

mod answer;
mod connection;
mod resolve;

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result};
use reqwest::{
    Body, Method, RequestBuilder, Response, StatusCode, Url,
    header::{ACCEPT, CONTENT_LENGTH, HeaderValue, LOCATION},
    multipart::{Form, Part},
    redirect,
};
use serde::{Serialize, de::DeserializeOwned};

pub(crate) use answer::{Answer, Listing};
pub(crate) use connection::{AdminConnection, Connection, address, is_local};

use crate::exit::{Exit, error, usage};

/// Nothing in the API keeps silent for longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Items on a page, the most that the API gives.
const PAGE: &str = "200";

/// Who is calling, as the API's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// A customer, by its key.
    Customer,
    /// The operator.
    Admin,
}

impl Caller {
    fn header(self) -> &'static str {
        match self {
            Self::Customer => "X-API-Key",
            Self::Admin => "X-Admin-Key",
        }
    }
}

/// A platform and a key to it.
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    caller: Caller,
    key: HeaderValue,
}

impl Client {
    /// Talks to the platform at `url`; nothing is sent yet.
    ///
    /// # Errors
    /// When the key cannot stand in a header, or TLS cannot be set up.
    pub(crate) fn new(url: &Url, caller: Caller, key: &str) -> Result<Self> {
        // an earlier choice was the same
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut key = HeaderValue::from_str(key)
            .map_err(|_| usage("the key holds characters that no key has; check it for typos"))?;
        key.set_sensitive(true);
        let builder = || {
            let builder = reqwest::Client::builder()
                .user_agent(concat!("dcmp/", env!("CARGO_PKG_VERSION")))
                // redirects lead to stored files, which must not be shown the key
                .redirect(redirect::Policy::none())
                .tcp_nodelay(true)
                .connect_timeout(Duration::from_secs(10))
                .read_timeout(PATIENCE);
            // no proxy leads back to this machine
            if is_local(url) { builder.no_proxy() } else { builder }
        };
        // a machine without any certificates can still be used over plain HTTP
        let http = match url.scheme() {
            "http" => builder().build().or_else(|_| builder().tls_certs_only([]).build()),
            _ => builder().build(),
        };
        let http = http.context("cannot set up HTTP")?;
        Ok(Self { http, base: url.clone(), caller, key })
    }

    /// Asks whether the platform knows the key, whatever the key opens.
    ///
    /// # Errors
    /// When it does not, or there is no platform.
    pub(crate) async fn try_key(&self) -> Result<()> {
        let path: &[&str] = match self.caller {
            Caller::Customer => &["models"],
            Caller::Admin => &["admin", "customers"],
        };
        let response = self.send(self.request(Method::GET, path, &[("limit", "1")])).await?;
        let forbidden = response.status() == StatusCode::FORBIDDEN;
        match self.read(response).await {
            // a good key that opens other things
            Err(_) if forbidden => Ok(()),
            Ok(answer) => answer.read::<serde_json::Map<_, _>>().map(drop),
            Err(error) => Err(error),
        }
    }

    /// One thing.
    pub(crate) async fn get(&self, path: &[&str]) -> Result<Answer> {
        self.answer(self.request(Method::GET, path, &[])).await
    }

    /// Asks with a query.
    pub(crate) async fn ask(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Answer> {
        self.answer(self.request(Method::GET, path, query)).await
    }

    /// Something as lines of JSON, for reading as they come.
    pub(crate) async fn lines(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Response> {
        let request = self.request(Method::GET, path, query).header(ACCEPT, "application/x-ndjson");
        let response = self.send(request).await?;
        if response.status() != StatusCode::OK {
            self.read(response).await?;
            return Err(error(Exit::Failed, "the platform sent no lines"));
        }
        Ok(response)
    }

    /// Does something that takes no words and may be done twice.
    pub(crate) async fn act(&self, path: &[&str]) -> Result<Answer> {
        self.answer(self.request(Method::POST, path, &[])).await
    }

    /// Makes something. A repetition with the same `idempotency_key` makes nothing new.
    pub(crate) async fn post<T: Serialize + Sync>(
        &self,
        path: &[&str],
        body: &T,
        idempotency_key: Option<&str>,
    ) -> Result<Answer> {
        let mut request = self.request(Method::POST, path, &[]).json(body);
        if let Some(key) = idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        self.answer(request).await
    }

    /// Changes what `body` names.
    pub(crate) async fn patch<T: Serialize + Sync>(
        &self,
        path: &[&str],
        body: &T,
    ) -> Result<Answer> {
        self.answer(self.request(Method::PATCH, path, &[]).json(body)).await
    }

    /// Ends or removes something.
    pub(crate) async fn delete(&self, path: &[&str]) -> Result<Answer> {
        self.answer(self.request(Method::DELETE, path, &[])).await
    }

    /// Everything on all pages of a list; `field` is its name in the answer.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        path: &[&str],
        field: &str,
        filter: Option<(&str, &str)>,
    ) -> Result<Listing<T>> {
        let mut listing = Listing::new(field);
        let mut cursor = None;
        loop {
            let mut query = vec![("limit", PAGE)];
            query.extend(filter);
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let answer = self.answer(self.request(Method::GET, path, &query)).await?;
            cursor = listing.add(&answer)?;
            if cursor.is_none() {
                return Ok(listing);
            }
        }
    }

    /// Uploads a file as the field `name` of a form; `fields` are the others.
    pub(crate) async fn upload(
        &self,
        path: &str,
        name: &'static str,
        file: Part,
        fields: &[(&'static str, String)],
    ) -> Result<Answer> {
        // before the file, so that the platform can refuse early
        let form = fields
            .iter()
            .fold(Form::new(), |form, (name, value)| form.text(*name, value.clone()))
            .part(name, file);
        self.answer(self.request(Method::POST, &[path], &[]).multipart(form)).await
    }

    /// Sends a stored file, or a part of one, where the platform said; the key does not go there.
    pub(crate) async fn put(
        &self,
        url: &str,
        headers: &BTreeMap<String, String>,
        size: u64,
        body: Body,
    ) -> Result<()> {
        let target = self.base.join(url).context("the platform gave no address for the file")?;
        let request = self.http.put(target).header(CONTENT_LENGTH, size).body(body);
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        self.answer(request).await.map(drop)
    }

    /// Opens a model's file for reading; `model` is its id, or with a version `model_…@3`.
    pub(crate) async fn download(&self, model: &str) -> Result<Response> {
        let request = self.request(Method::GET, &["models", model, "download"], &[]);
        let response = self.send(request).await?;
        let stored = if response.status().is_redirection() {
            let location = response.headers().get(LOCATION);
            let target = location.and_then(|target| target.to_str().ok());
            let target = target.and_then(|target| self.base.join(target).ok());
            let target = target.context("the platform's redirect to the file has no address")?;
            self.send(self.http.get(target)).await?
        } else {
            response
        };
        if stored.status() != StatusCode::OK {
            self.read(stored).await?;
            return Err(error(Exit::Failed, "the platform did not say where the file is"));
        }
        Ok(stored)
    }

    fn request(&self, method: Method, path: &[&str], query: &[(&str, &str)]) -> RequestBuilder {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .expect("http URLs have a path")
            .pop_if_empty()
            .extend(["api", "v1"])
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.http.request(method, url).header(self.caller.header(), self.key.clone())
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Answer> {
        let response = self.send(request).await?;
        self.read(response).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response> {
        request.send().await.map_err(|cause| self.unreachable(&cause))
    }

    async fn read(&self, response: Response) -> Result<Answer> {
        let status = response.status();
        let text = response.text().await.map_err(|cause| self.unreachable(&cause))?;
        Answer::of(status, text)
    }

    /// What to do about a platform that cannot be reached.
    fn unreachable(&self, cause: &reqwest::Error) -> anyhow::Error {
        let mut root: &dyn std::error::Error = cause;
        while let Some(source) = root.source() {
            root = source;
        }
        let at = self.base.as_str().trim_end_matches('/');
        let message = if cause.is_connect() {
            let advice = "start it with `dcmp up`, or say where it is with --url or DCMP_URL";
            format!("no platform at {at} ({root}); {advice}")
        } else if cause.is_timeout() {
            format!("the platform at {at} did not answer in time; try again")
        } else {
            format!("the connection to {at} broke ({root}); try again")
        };
        error(Exit::Failed, message)
    }
}
