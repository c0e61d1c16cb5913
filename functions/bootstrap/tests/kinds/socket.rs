//! The devices' socket: who is let in, and what a device is told.

use api::socket::UNKNOWN;
use embedded::Connection;
use protocol::rest::admin::{NewCustomer, NewKey};
use serde_json::{Value, json};
use service::{access, idempotency::Commit};

use crate::Platform;

const ID: &str = "JKJaXcLvIAMCIxg=";

fn event(body: &str) -> Value {
    json!({ "requestContext": { "connectionId": ID }, "body": body, "isBase64Encoded": false })
}

impl Platform {
    async fn key(&self) -> String {
        let new = NewCustomer { name: "test".to_owned() };
        let customer = access::create_customer(&self.app, &new, Commit::alone()).await.unwrap();
        let new = NewKey::default();
        let key = access::create_key(&self.app, &customer.id, &new, Commit::alone()).await.unwrap();
        key.secret.unwrap()
    }

    /// A device that was let in.
    async fn connect(&self) -> Connection {
        let socket = self.store.sockets().open(ID);
        let mut connect = event("");
        connect["queryStringParameters"] = json!({ "token": self.key().await });
        assert_eq!(self.run("socket-connect", &connect).await, json!({ "statusCode": 200 }));
        socket
    }
}

#[tokio::test]
async fn a_device_is_let_in_by_its_key_only() {
    let platform = Platform::new();
    let key = platform.key().await;
    for (part, name, value, status) in [
        ("headers", "X-API-Key", key.as_str(), 200),
        ("headers", "x-api-key", &key, 200),
        ("queryStringParameters", "token", &key, 200),
        ("headers", "X-API-Key", "dcmp_unknown", 401),
        ("headers", "Host", "example.org", 401),
    ] {
        let mut connect = event("");
        connect[part] = json!({ name: value });
        let answer = platform.run("socket-connect", &connect).await;
        assert_eq!(answer, json!({ "statusCode": status }), "{part} {name}");
    }
}

#[tokio::test]
async fn a_device_is_told_what_was_wrong() {
    let platform = Platform::new();
    let mut socket = platform.connect().await;
    for (function, frame, code, says) in [
        ("socket-heartbeat", r#"{"type":"heartbeat"}"#, "VALIDATION_ERROR", "slots_free"),
        ("socket-heartbeat", r#"{"type":"heartbeat","slots_free":1}"#, "VALIDATION_ERROR", "hello"),
        ("socket-unknown", r#"{"type":"party"}"#, "VALIDATION_ERROR", "there are bye, heartbeat"),
        ("socket-unknown", "no JSON", "VALIDATION_ERROR", "JSON object"),
    ] {
        let answer = platform.run(function, &event(frame)).await;
        assert_eq!(answer, json!({ "statusCode": 400 }), "{frame}");
        let fault: Value = serde_json::from_str(&socket.try_recv().unwrap()).unwrap();
        assert_eq!((&fault["type"], &fault["code"]), (&json!("error"), &json!(code)));
        assert!(fault["message"].as_str().unwrap().contains(says), "{fault}");
    }
}

#[tokio::test]
async fn a_connection_that_is_over_says_nothing_any_more() {
    let platform = Platform::new();
    let mut socket = platform.connect().await;
    assert_eq!(platform.run("socket-disconnect", &event("")).await, json!({ "statusCode": 200 }));
    let answer = platform.run("socket-heartbeat", &event(r#"{"type":"heartbeat"}"#)).await;
    assert_eq!(answer, json!({ "statusCode": 200 }));
    assert!(socket.try_recv().is_none());
}

#[test]
fn messages_of_unknown_types_have_a_function() {
    let routes = light_registry::routes();
    let unknown =
        routes.iter().find(|route| matches!(route.entry, api::Entry::Message(UNKNOWN, _)));
    assert_eq!(unknown.unwrap().name, "socket-unknown");
}
