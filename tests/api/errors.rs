//! Errors that any route can answer, and the pages that explain them.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
};

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::{
    assert_refused,
    support::{Platform, answer},
};

#[tokio::test]
async fn every_error_is_the_same_envelope() {
    let platform = Platform::without_own_device();
    let request = platform.client.request(Method::GET, "/models?limit=0");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    let request_id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["request_id"], request_id);
    insta::assert_json_snapshot!(body, { ".error.request_id" => "[id]" }, @r#"
    {
      "error": {
        "code": "VALIDATION_ERROR",
        "details": [
          {
            "message": "expected a whole number from 1 to 200",
            "path": "limit"
          }
        ],
        "message": "limit: expected a whole number from 1 to 200",
        "request_id": "[id]"
      }
    }
    "#);
}

#[tokio::test]
async fn unknown_paths() {
    let platform = Platform::without_own_device();
    for path in ["/api/v1/nothing", "/api/v1/models/", "/api/v2/models", "/", "/models", "/api/v1"]
    {
        let sent = answer(platform.client.http.get(format!("{}{path}", platform.url))).await;
        assert_refused(sent, 404, "NOT_FOUND", &[path, "GET /docs"]);
    }
}

#[tokio::test]
async fn wrong_methods() {
    let platform = Platform::without_own_device();
    for (method, path) in [
        (Method::PUT, "/models"),
        (Method::PATCH, "/models/model_1"),
        (Method::GET, "/inference"),
        (Method::POST, "/inference/infer_1"),
        (Method::DELETE, "/devices"),
        (Method::POST, "/health"),
        (Method::POST, "/openapi.json"),
        (Method::PUT, "/admin/customers"),
    ] {
        let request = platform.client.request(method.clone(), path);
        let response = request.send().await.unwrap();
        assert!(response.headers().contains_key(header::ALLOW), "{method} {path}");
        let sent = (response.status(), response.json().await.unwrap());
        assert_refused(
            sent,
            405,
            "METHOD_NOT_ALLOWED",
            &[method.as_str(), path, "GET /openapi.json"],
        );
    }
}

#[tokio::test]
async fn bodies_that_are_not_json() {
    let platform = Platform::without_own_device();
    let request = || platform.client.request(Method::POST, "/inference");
    let json = |body: String| request().header(header::CONTENT_TYPE, "application/json").body(body);
    for body in ["", "{", "model_id=1", r#"{"model_id":"a","input":NaN}"#, "\"\\ud800\"", "{}{}"] {
        let sent = answer(json(body.to_owned())).await;
        assert_refused(sent, 400, "VALIDATION_ERROR", &[]);
    }
    let trailing = r#"{"model_id":"a","input":{}} x"#;
    let sent = answer(json(trailing.to_owned())).await;
    assert_refused(sent, 400, "VALIDATION_ERROR", &["body: "]);
    for (body, words) in [
        (json!({}), ["model_id", "missing; it is required"]),
        (json!({ "model_id": "model_1" }), ["input", "missing; it is required"]),
        (json!(["model_1", { "data": [1], "shape": [1] }]), ["body", "JSON object"]),
        (json!("text"), ["body", "JSON object"]),
    ] {
        let sent = answer(request().json(&body)).await;
        assert_refused(sent, 400, "VALIDATION_ERROR", &words);
    }
    let deep = format!(r#"{{"input":{}"#, "[".repeat(100_000));
    let sent = answer(json(deep)).await;
    assert_refused(sent, 400, "VALIDATION_ERROR", &["not valid JSON"]);
}

#[tokio::test]
async fn bodies_of_another_kind() {
    let platform = Platform::without_own_device();
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
        let request = platform.client.request(Method::POST, "/inference");
        let sent = answer(request.header(header::CONTENT_TYPE, kind).body("{}")).await;
        assert_refused(sent, 415, "UNSUPPORTED_MEDIA_TYPE", &["Content-Type: application/json"]);
    }
    let request = platform.admin.request(Method::POST, "/admin/customers").body("name=a");
    assert_refused(answer(request).await, 415, "UNSUPPORTED_MEDIA_TYPE", &["as JSON"]);
    for kind in ["application/json; charset=utf-8", "application/vnd.api+json", "APPLICATION/JSON"]
    {
        let request = platform.client.request(Method::POST, "/inference");
        let sent = answer(request.header(header::CONTENT_TYPE, kind).body("{}")).await;
        assert_refused(sent, 400, "VALIDATION_ERROR", &["model_id"]);
    }
}

#[tokio::test]
async fn fifty_megabytes_of_json() {
    let platform = Platform::without_own_device();
    let request = || {
        platform
            .client
            .request(Method::POST, "/inference")
            .header(header::CONTENT_TYPE, "application/json")
    };
    let body = format!(r#"{{"model_id":"model_1","input":[{}0]}}"#, "0,".repeat(25 << 20));
    assert_refused(
        answer(request().body(body.clone())).await,
        413,
        "PAYLOAD_TOO_LARGE",
        &["4 MB", "send less"],
    );
    // without a length in its head
    let chunks: Vec<_> = body.as_bytes().chunks(1 << 20).map(<[u8]>::to_vec).collect();
    let stream = futures::stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>));
    let sent = answer(request().body(reqwest::Body::wrap_stream(stream))).await;
    assert_refused(sent, 413, "PAYLOAD_TOO_LARGE", &["4 MB"]);
    // and the platform serves on
    assert_eq!(platform.client.get("/health").await.0, 200);
}

/// Every code has a page, and every page a code.
#[test]
fn every_code_is_explained() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors");
    let explained: BTreeSet<String> = std::fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(explained, api::CODES.map(str::to_owned).into());
    for code in api::CODES {
        let page = std::fs::read_to_string(pages.join(format!("{code}.md"))).unwrap();
        assert!(page.starts_with(&format!("# {code}\n")), "{code}");
    }
}

#[tokio::test]
async fn a_small_form_that_is_refused_early_is_read_to_its_end() {
    let platform = Platform::without_own_device();
    let address = platform.url.strip_prefix("http://").unwrap();
    let mut connection = TcpStream::connect(address).unwrap();
    let mut said = BufReader::new(connection.try_clone().unwrap());
    let mut status = || {
        let (mut line, mut rest) = (String::new(), 0);
        said.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).unwrap_or("closed").to_owned();
        while !line.trim_end().is_empty() {
            line.clear();
            said.read_line(&mut line).unwrap();
            let length = line.strip_prefix("content-length: ").map(|n| n.trim().parse().unwrap());
            rest = length.unwrap_or(rest);
        }
        said.read_exact(&mut vec![0; rest]).unwrap();
        status
    };
    let head = "POST /api/v1/models HTTP/1.1\r\nHost: a\r\nX-API-Key: wrong\r\n\
                Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000\r\n\r\n";
    connection.write_all(head.as_bytes()).unwrap();
    assert_eq!(status(), "401");
    // the caller has only now read its file
    connection.write_all(&[b'-'; 1000]).unwrap();
    connection.write_all(b"GET /api/v1/health HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert_eq!(status(), "200");
}
