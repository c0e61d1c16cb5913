//! Keys: which are refused, and with which words.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    assert_refused,
    support::{Client, Platform, answer, eventually},
    text,
};

/// A new key of a new customer, as the operator is shown it.
async fn key(platform: &Platform, wishes: Value) -> Value {
    let (_, customer) = platform.admin.post("/admin/customers", json!({ "name": "a" })).await;
    let path = format!("/admin/customers/{}/keys", text(&customer["id"]));
    let (status, key) = platform.admin.post(&path, wishes).await;
    assert_eq!(status, StatusCode::CREATED, "{key}");
    key
}

fn holder(platform: &Platform, key: &Value) -> Client {
    Client::new(&platform.url, "x-api-key", text(&key["secret"]))
}

#[tokio::test]
async fn a_missing_key_is_asked_for() {
    let platform = Platform::without_own_device();
    let nobody = Client::new(&platform.url, "x-other", "value");
    let refused = nobody.get("/models").await;
    assert_refused(refused, 401, "AUTH_REQUIRED", &["send your key", "X-API-Key"]);
    let refused = nobody.get("/admin/customers").await;
    assert_refused(refused, 401, "AUTH_REQUIRED", &["X-Admin-Key"]);
    let refused = nobody.get("/models/model_1/download").await;
    assert_refused(refused, 401, "AUTH_REQUIRED", &["X-API-Key", "X-SDK-Token"]);
    let empty = Client::new(&platform.url, "x-api-key", " ");
    assert_refused(empty.get("/models").await, 401, "AUTH_REQUIRED", &["X-API-Key"]);
    // before anything else is looked at
    let refused = nobody.post("/inference", json!("no request at all")).await;
    assert_refused(refused, 401, "AUTH_REQUIRED", &["X-API-Key"]);
}

#[tokio::test]
async fn keys_that_nobody_has() {
    let platform = Platform::without_own_device();
    let long = "k".repeat(4_000);
    for secret in ["test-api-key2", "TEST-API-KEY", "dcmp_", &long, "test-admin-key"] {
        let client = Client::new(&platform.url, "x-api-key", secret);
        let refused = client.get("/models").await;
        assert_refused(refused, 401, "AUTH_INVALID", &["unknown, expired or revoked"]);
    }
    for secret in ["test-admin-key2", "test-api-key", "a"] {
        let client = Client::new(&platform.url, "x-admin-key", secret);
        let refused = client.get("/admin/customers").await;
        assert_refused(refused, 401, "AUTH_INVALID", &["X-Admin-Key"]);
    }
    let strange = platform.client.http.get(format!("{}/api/v1/models", platform.url));
    let strange = strange.header("x-api-key", &b"k\xc3\xa4se"[..]);
    assert_refused(answer(strange).await, 401, "AUTH_INVALID", &["ASCII"]);
    for token in ["dev_1.token", "token", "dev_0000.", "test-api-key"] {
        let device = Client::new(&platform.url, "x-sdk-token", token);
        let refused = device.get("/models/model_1/download?task=infer_1").await;
        assert_refused(refused, 401, "AUTH_INVALID", &["session token", "X-SDK-Token"]);
    }
}

#[tokio::test]
async fn a_revoked_key_opens_nothing_at_once() {
    let platform = Platform::without_own_device();
    let key = key(&platform, json!({})).await;
    let client = holder(&platform, &key);
    assert_eq!(client.get("/models").await.0, StatusCode::OK);
    let path = format!("/admin/keys/{}", text(&key["id"]));
    assert_eq!(platform.admin.delete(&path).await, (StatusCode::NO_CONTENT, Value::Null));
    assert_refused(client.get("/models").await, 401, "AUTH_INVALID", &["revoked"]);
    assert_refused(platform.admin.delete(&path).await, 404, "NOT_FOUND", &["there is no key"]);
}

#[tokio::test]
async fn a_key_expires() {
    let platform = Platform::without_own_device();
    let (_, customer) = platform.admin.post("/admin/customers", json!({ "name": "a" })).await;
    let path = format!("/admin/customers/{}/keys", text(&customer["id"]));
    // a machine may be too slow to make a key and show it before it ends: then later
    for seconds in [2, 8, 32] {
        let (_, health) = platform.client.get("/health").await;
        let now: jiff::Timestamp = text(&health["timestamp"]).parse().unwrap();
        let end = now + std::time::Duration::from_secs(seconds);
        let (status, key) =
            platform.admin.post(&path, json!({ "expires_at": end.to_string() })).await;
        if status != StatusCode::CREATED {
            continue;
        }
        assert_eq!(text(&key["expires_at"]).parse::<jiff::Timestamp>().unwrap(), end);
        let client = holder(&platform, &key);
        if client.get("/models").await.0 != StatusCode::OK {
            continue;
        }
        let refused = eventually("the key's end", || async {
            Some(client.get("/models").await).filter(|answer| answer.0 != StatusCode::OK)
        });
        return assert_refused(refused.await, 401, "AUTH_INVALID", &["expired"]);
    }
    panic!("no key opened anything before its end");
}

#[tokio::test]
async fn a_key_opens_what_its_scopes_say() {
    let platform = Platform::without_own_device();
    for (scope, opens, others) in [
        ("models", "/models", ["/devices", "/devices/stats", "/inference/infer_1"]),
        ("devices", "/devices", ["/models", "/models/model_1", "/inference/infer_1"]),
    ] {
        let client = platform.customer(json!({ "scopes": [scope] })).await;
        assert_eq!(client.get(opens).await.0, StatusCode::OK);
        for path in others {
            let refused = client.get(path).await;
            assert_refused(refused, 403, "FORBIDDEN", &["lacks the scope `", "operator"]);
        }
    }
    let infer = platform.customer(json!({ "scopes": ["infer"] })).await;
    assert_refused(infer.get("/models").await, 403, "FORBIDDEN", &["`models`"]);
    let none = infer.get("/inference/infer_1").await;
    assert_refused(none, 404, "NOT_FOUND", &["infer_1"]);
    let train = platform.customer(json!({ "scopes": ["train", "usage", "projects"] })).await;
    for path in ["/models", "/devices", "/inference/infer_1"] {
        assert_refused(train.get(path).await, 403, "FORBIDDEN", &[]);
    }
}

#[tokio::test]
async fn pages_of_other_sites_may_call() {
    let platform = Platform::without_own_device();
    let request = platform
        .client
        .http
        .request(Method::OPTIONS, format!("{}/api/v1/inference", platform.url))
        .header("Origin", "https://example.org")
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "x-api-key");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    // keys are headers; a browser never sends them by itself
    assert!(!response.headers().contains_key("access-control-allow-credentials"));
}
