//! Presigned URLs as a client sees them.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use dcmp_embedded::{Embedded, Options};
use futures::StreamExt;
use http::{Request, StatusCode, header};
use ports::{Blobs, Checksum, Method};
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

const HOUR: Duration = Duration::from_secs(3600);
const KEY: &str = "models/a/model.onnx";

struct Server {
    store: Embedded,
    _directory: TempDir,
}

impl Server {
    fn start(max_put: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { max_put, ..Options::default() };
        Self { store: Embedded::open(directory.path(), options).unwrap(), _directory: directory }
    }

    fn url(&self, method: Method) -> String {
        self.blobs().presign(KEY, method, HOUR, "").unwrap()
    }

    fn blobs(&self) -> std::sync::Arc<dyn Blobs> {
        self.store.ports().blobs
    }

    async fn send(&self, request: http::request::Builder, body: impl Into<Body>) -> Response {
        self.store.blob_router().oneshot(request.body(body.into()).unwrap()).await.unwrap()
    }
}

async fn bytes(response: Response) -> Bytes {
    axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap()
}

/// A body that is sent without its length.
fn repeated(chunk: Bytes, times: usize) -> Body {
    let chunks = std::iter::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
    Body::from_stream(futures::stream::iter(chunks.take(times)))
}

/// The code of a refusal, which must be in the platform's envelope.
async fn refusal(response: Response) -> (StatusCode, String) {
    let status = response.status();
    let body: Value = serde_json::from_slice(&bytes(response).await).unwrap();
    let error = &body["error"];
    assert!(error["request_id"].as_str().unwrap().starts_with("req_"), "{body}");
    let message = error["message"].as_str().unwrap();
    assert!(message.len() > 10, "{body}");
    if error["code"] == "VALIDATION_ERROR" {
        let detail = &error["details"][0];
        let (path, what) = (detail["path"].as_str().unwrap(), detail["message"].as_str().unwrap());
        assert_eq!(message, format!("{path}: {what}"));
    }
    (status, error["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn ranges_are_served() {
    let server = Server::start(1 << 20);
    server.blobs().put(KEY, Bytes::from_static(b"0123456789")).await.unwrap();
    let url = server.url(Method::Get);
    let whole = server.send(Request::get(&url), Body::empty()).await;
    assert_eq!(whole.status(), StatusCode::OK);
    assert_eq!(whole.headers()[header::CONTENT_LENGTH], "10");
    assert_eq!(bytes(whole).await, "0123456789");
    let part =
        server.send(Request::get(&url).header(header::RANGE, "bytes=2-4"), Body::empty()).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()[header::CONTENT_RANGE], "bytes 2-4/10");
    assert_eq!(bytes(part).await, "234");
    let behind = Request::get(&url).header(header::RANGE, "bytes=10-");
    let behind = server.send(behind, Body::empty()).await;
    assert_eq!(behind.headers()[header::CONTENT_RANGE], "bytes */10");
    let outside = (StatusCode::RANGE_NOT_SATISFIABLE, "VALIDATION_ERROR".to_owned());
    assert_eq!(refusal(behind).await, outside);
    let head = server.send(Request::head(&url), Body::empty()).await;
    assert_eq!(head.headers()[header::CONTENT_LENGTH], "10");
    assert!(bytes(head).await.is_empty());
}

#[tokio::test]
async fn a_url_is_good_for_nothing_else() {
    let server = Server::start(1 << 20);
    server.blobs().put(KEY, Bytes::from_static(b"bytes")).await.unwrap();
    server.blobs().put("other", Bytes::from_static(b"secret")).await.unwrap();
    let get = server.url(Method::Get);
    let put = server.url(Method::Put(Some(Checksum::of(b"bytes"))));
    let gone = server.blobs().presign(KEY, Method::Get, Duration::ZERO, "").unwrap();
    let query = get.split_once('?').unwrap().1;
    let expires = query.split_once('&').unwrap().0;
    let longer = get.replace(expires, "expires=9999999999999");
    let other_sum = Checksum::of(b"others").to_string();
    for (name, request) in [
        ("expired", Request::get(&gone)),
        ("tampered expiry", Request::get(&longer)),
        ("tampered signature", Request::get(format!("{get}00"))),
        ("no signature", Request::get(format!("/_blobs/{KEY}?{expires}"))),
        ("no query", Request::get(format!("/_blobs/{KEY}"))),
        ("other key", Request::get(format!("/_blobs/other?{query}"))),
        ("path out of the store", Request::get(format!("/_blobs/..%2Fsecret?{query}"))),
        ("PUT by the URL of a GET", Request::put(&get)),
        ("GET by the URL of a PUT", Request::get(&put)),
        (
            "another checksum",
            Request::put(put.replace(&Checksum::of(b"bytes").to_string(), &other_sum)),
        ),
    ] {
        let response = server.send(request, "others").await;
        assert_eq!(refusal(response).await, (StatusCode::FORBIDDEN, "FORBIDDEN".into()), "{name}");
    }
    let response = server.send(Request::delete(&get), Body::empty()).await;
    assert_eq!(response.headers()[header::ALLOW], "GET, HEAD, PUT");
    let refused = refusal(response).await;
    assert_eq!(refused, (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED".into()));
    let stored = server.blobs().get(KEY, None).await.unwrap();
    assert_eq!(stored.as_deref(), Some(&b"bytes"[..]));
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_leaves_nothing() {
    let server = Server::start(1000);
    let put = server.url(Method::Put(None));
    let announced = Request::put(&put).header(header::CONTENT_LENGTH, "1001");
    let announced = server.send(announced, vec![0; 1001]).await;
    let too_large = (StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE".to_owned());
    assert_eq!(refusal(announced).await, too_large);
    // Without a length, it is noticed on the way.
    let chunks = repeated(Bytes::from(vec![0; 100]), 11);
    let streamed = server.send(Request::put(&put), chunks).await;
    assert_eq!(refusal(streamed).await, too_large);
    let sum = Method::Put(Some(Checksum::of(b"announced")));
    let different = server.send(Request::put(server.url(sum)), "sent").await;
    let invalid = (StatusCode::BAD_REQUEST, "VALIDATION_ERROR".to_owned());
    assert_eq!(refusal(different).await, invalid);
    let broken = futures::stream::iter([
        Ok(Bytes::from_static(b"a part")),
        Err(std::io::Error::other("the client went away")),
    ]);
    let broken = server.send(Request::put(&put), Body::from_stream(broken)).await;
    assert_eq!(refusal(broken).await, invalid);
    let missing = server.send(Request::get(server.url(Method::Get)), Body::empty()).await;
    assert_eq!(refusal(missing).await, (StatusCode::NOT_FOUND, "NOT_FOUND".into()));
    let incoming = server._directory.path().join("incoming");
    assert_eq!(incoming.read_dir().unwrap().count(), 0, "no half-written file is left");
}

/// Both ways, a large object passes through without being in memory as a whole.
#[tokio::test]
async fn large_objects_take_little_memory() {
    const CHUNK: usize = 1 << 20;
    const CHUNKS: usize = 96;
    let server = Server::start(1 << 30);
    let before = resident();
    let chunk = Bytes::from(vec![7; CHUNK]);
    let chunks = repeated(chunk, CHUNKS);
    let put = Request::put(server.url(Method::Put(None)));
    let put = server.send(put, chunks).await;
    assert_eq!(put.status(), StatusCode::OK);
    let get = server.send(Request::get(server.url(Method::Get)), Body::empty()).await;
    let (mut size, mut peak) = (0, resident());
    let mut stream = get.into_body().into_data_stream();
    while let Some(chunk) = stream.next().await {
        size += chunk.unwrap().len();
        peak = peak.max(resident());
    }
    assert_eq!(size, CHUNK * CHUNKS);
    assert!(peak - before < 24 << 20, "{} MB more", (peak - before) >> 20);
}

/// The memory of this process in bytes; 0 where that cannot be read.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let resident = pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    resident.unwrap_or(0) * 4096
}
