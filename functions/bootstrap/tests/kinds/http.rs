//! Requests of an HTTP API, in and out of the platform's own routes.

use serde_json::{Value, json};

use crate::Platform;

fn request(method: &str, path: &str) -> Value {
    json!({
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": { "host": "api.example.org", "x-forwarded-proto": "https" },
        "requestContext": { "http": { "method": method, "path": path }, "stage": "$default" },
        "isBase64Encoded": false,
    })
}

fn body(answer: &Value) -> Value {
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_request_is_answered_as_on_one_machine() {
    let answer = Platform::new().run("health-basic", &request("GET", "/api/v1/health")).await;
    assert_eq!(answer["statusCode"], 200);
    assert_eq!(answer["isBase64Encoded"], false);
    assert_eq!(answer["headers"]["content-type"], "application/json");
    assert_eq!(body(&answer)["status"], "healthy");
}

#[tokio::test]
async fn what_the_function_does_not_serve_is_refused_with_a_sentence() {
    let platform = Platform::new();
    for (method, path, status, code) in [
        ("GET", "/api/v1/nothing", 404, "NOT_FOUND"),
        ("GET", "/api/v1/models/a b#c?ä", 404, "NOT_FOUND"),
        ("POST", "/api/v1/health", 405, "METHOD_NOT_ALLOWED"),
    ] {
        let answer = platform.run("health-basic", &request(method, path)).await;
        assert_eq!(answer["statusCode"], status, "{answer}");
        let error = &body(&answer)["error"];
        assert_eq!(error["code"], code);
        assert_eq!(error["request_id"], answer["headers"]["x-request-id"]);
    }
}

#[tokio::test]
async fn a_body_in_base64_is_the_same_as_one_in_text() {
    let platform = Platform::new();
    for (text, is_base64) in [(r#"{"name":"Ada"}"#, false), ("eyJuYW1lIjoiQWRhIn0=", true)] {
        let mut event = request("POST", "/api/v1/admin/customers");
        event["headers"]["x-admin-key"] = "admin".into();
        event["headers"]["content-type"] = "application/json".into();
        event["body"] = text.into();
        event["isBase64Encoded"] = is_base64.into();
        let answer = platform.run("admin-create-customer", &event).await;
        assert_eq!((&answer["statusCode"], &body(&answer)["name"]), (&json!(201), &json!("Ada")));
    }
}

#[tokio::test]
async fn a_query_arrives() {
    let mut event = request("GET", "/api/v1/admin/customers");
    event["headers"]["x-admin-key"] = "admin".into();
    event["rawQueryString"] = "limit=none".into();
    let answer = Platform::new().run("admin-list-customers", &event).await;
    assert_eq!(answer["statusCode"], 400, "{answer}");
}
