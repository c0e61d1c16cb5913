//! What the server has beside the API, the devices' socket and presigned URLs, keeps the API's
//! manners.

use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::Value;

use crate::{
    assert_refused,
    support::{KEY, Platform},
};

/// A refusal whose body and header name the same request.
async fn refused(request: RequestBuilder, status: u16, code: &str, words: &[&str]) {
    let response = request.send().await.unwrap();
    let request_id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let answer = (response.status(), response.json::<Value>().await.unwrap());
    assert_eq!(answer.1["error"]["request_id"], request_id);
    assert_refused(answer, status, code, words);
}

#[tokio::test]
async fn the_socket_refuses_like_the_api() {
    let platform = Platform::without_own_device();
    let http = &platform.client.http;
    let socket = format!("{}/ws", platform.url);
    let plain = http.get(&socket).header("x-api-key", KEY);
    refused(plain, 400, "VALIDATION_ERROR", &["Upgrade: ", "WebSocket handshake"]).await;
    refused(http.post(&socket), 405, "METHOD_NOT_ALLOWED", &["/ws"]).await;
    let handshake = || {
        http.get(&socket)
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    };
    refused(handshake(), 401, "AUTH_REQUIRED", &["X-API-Key"]).await;
    let unknown = handshake().header("x-api-key", "dcmp_unknown");
    refused(unknown, 401, "AUTH_INVALID", &["X-API-Key"]).await;
    let welcome = handshake().header("x-api-key", KEY).send().await.unwrap();
    assert_eq!(welcome.status(), StatusCode::SWITCHING_PROTOCOLS);
}

#[tokio::test]
async fn a_browser_follows_a_download() {
    let platform = Platform::without_own_device();
    let path = format!("/models/{}/download", platform.upload("mlp.onnx").await);
    let redirect = platform.client.request(Method::GET, &path).send().await.unwrap();
    let url = redirect.headers()[header::LOCATION].to_str().unwrap();
    let http = &platform.client.http;
    let origin = "https://app.example.org";
    let preflight = http
        .request(Method::OPTIONS, url)
        .header(header::ORIGIN, origin)
        .header(header::ACCESS_CONTROL_REQUEST_METHOD, "GET")
        .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "x-api-key");
    let download = http.get(url).header(header::ORIGIN, origin);
    for request in [preflight, download] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    }
    refused(http.get(url.split('?').next().unwrap()), 403, "FORBIDDEN", &["not complete"]).await;
}
