//! Presigned URLs: `GET /models/{id}/download` leads to one, and it opens one file, to read, for a
//! while.

use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde_json::Value;

use crate::{
    assert_refused,
    support::{Platform, fixture},
};

struct Download {
    platform: Platform,
    url: String,
    file: Vec<u8>,
    path: String,
}

impl Download {
    async fn of(name: &str) -> Self {
        let platform = Platform::without_own_device();
        let path = format!("/models/{}", platform.upload(name).await);
        let request = platform.client.request(Method::GET, &format!("{path}/download"));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FOUND);
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        let url = response.headers()[header::LOCATION].to_str().unwrap().to_owned();
        // the host that the caller dialled, and no secret of anybody
        assert!(url.starts_with(&format!("{}/_blobs/models/", platform.url)), "{url}");
        Self { platform, url, file: fixture(name), path }
    }

    /// Without any key: the signature is the key.
    fn request(&self, method: Method, url: &str) -> RequestBuilder {
        self.platform.client.http.request(method, url)
    }

    async fn refused(&self, method: Method, url: &str, status: u16, code: &str, words: &[&str]) {
        let response = self.request(method, url).send().await.unwrap();
        let status_found = response.status();
        let body: Value = response.json().await.unwrap();
        assert_refused((status_found, body), status, code, words);
    }
}

fn header(response: &Response, name: header::HeaderName) -> &str {
    response.headers()[name].to_str().unwrap()
}

#[tokio::test]
async fn a_download_is_the_file_that_was_uploaded() {
    let download = Download::of("digits.onnx").await;
    let response = download.request(Method::GET, &download.url).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(&response, header::ACCEPT_RANGES), "bytes");
    assert_eq!(response.bytes().await.unwrap(), download.file);
    let (_, model) = download.platform.client.get(&download.path).await;
    assert_eq!(model["size"], download.file.len());
}

#[tokio::test]
async fn the_head_alone() {
    let download = Download::of("mlp.onnx").await;
    let response = download.request(Method::HEAD, &download.url).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let length = download.file.len().to_string();
    assert_eq!(header(&response, header::CONTENT_LENGTH), length);
    assert!(response.bytes().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_part_of_the_file() {
    let download = Download::of("mlp.onnx").await;
    let size = download.file.len();
    for (range, expected) in [
        ("bytes=0-9", 0..10),
        ("bytes=100-", 100..size),
        ("bytes=-10", size - 10..size),
        ("bytes=10-999999999", 10..size),
    ] {
        let request = download.request(Method::GET, &download.url).header(header::RANGE, range);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        let shown = format!("bytes {}-{}/{size}", expected.start, expected.end - 1);
        assert_eq!(header(&response, header::CONTENT_RANGE), shown);
        assert_eq!(response.bytes().await.unwrap(), download.file[expected]);
    }
    let request = download.request(Method::GET, &download.url);
    let response = request.header(header::RANGE, format!("bytes={size}-")).send().await.unwrap();
    assert_eq!(header(&response, header::CONTENT_RANGE), format!("bytes */{size}"));
    let answer = (response.status(), response.json().await.unwrap());
    assert_refused(answer, 416, "VALIDATION_ERROR", &["Range: ", &size.to_string()]);
}

#[tokio::test]
async fn a_url_opens_only_what_it_was_made_for() {
    let download = Download::of("mlp.onnx").await;
    let other = download.platform.upload("cnn.onnx").await;
    let url = &download.url;
    let (place, query) = url.split_once('?').unwrap();
    let (start, signature) = url.rsplit_once("sig=").unwrap();
    let expires = query.split('&').find_map(|field| field.strip_prefix("expires=")).unwrap();
    let later = (expires.parse::<u64>().unwrap() + 1).to_string();
    let flipped = if signature.ends_with('0') { "1" } else { "0" };
    let words = ["signature does not match", "exactly as it was given"];
    for forged in [
        url.replace(expires, &later),
        url.replace(expires, "1"),
        format!("{}{flipped}", &url[..url.len() - 1]),
        format!("{start}sig={}", "0".repeat(64)),
        format!("{start}sig=none"),
        format!("{}/_blobs/models/{other}/1?{query}", download.platform.url),
        format!("{place}/..%2f..%2fsecret?{query}"),
    ] {
        download.refused(Method::GET, &forged, 403, "FORBIDDEN", &words).await;
    }
    let incomplete = ["not complete", "with its query"];
    download.refused(Method::GET, place, 403, "FORBIDDEN", &incomplete).await;
    let start = start.trim_end_matches('&');
    download.refused(Method::GET, start, 403, "FORBIDDEN", &incomplete).await;
    // to read is not to write
    download.refused(Method::PUT, url, 403, "FORBIDDEN", &words).await;
    download.refused(Method::DELETE, url, 405, "METHOD_NOT_ALLOWED", &[]).await;
    let response = download.request(Method::GET, url).send().await.unwrap();
    assert_eq!(response.bytes().await.unwrap(), download.file);
}

#[tokio::test]
async fn a_deleted_model_is_not_downloaded() {
    let download = Download::of("mlp.onnx").await;
    let client = &download.platform.client;
    let of_version = |version: &str| format!("{}/download?version={version}", download.path);
    let (status, _) = client.get(&of_version("1")).await;
    assert_eq!(status, StatusCode::FOUND);
    assert_refused(client.get(&of_version("2")).await, 404, "NOT_FOUND", &["no version 2"]);
    assert_refused(client.get(&of_version("x")).await, 400, "VALIDATION_ERROR", &["version"]);
    assert_eq!(client.delete(&download.path).await.0, StatusCode::NO_CONTENT);
    download.refused(Method::GET, &download.url, 404, "NOT_FOUND", &["nothing here"]).await;
    assert_refused(client.get(&of_version("1")).await, 404, "NOT_FOUND", &[]);
}
