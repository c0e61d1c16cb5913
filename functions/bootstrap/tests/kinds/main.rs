//! Each kind of event: what becomes of it, and what Lambda is told when it does not go well.

#![allow(clippy::unwrap_used, reason = "tests")]

mod http;
mod socket;

use std::time::Duration;

use api::Route;
use dcmp_bootstrap::{Failure, Function};
use embedded::{Durability, Embedded, Options};
use lambda_runtime::{Diagnostic, LambdaEvent};
use serde_json::{Value, json, value::RawValue};
use service::{App, Error, Settings, access};

/// A platform without an engine.
struct Platform {
    app: App,
    store: Embedded,
    _directory: tempfile::TempDir,
}

impl Platform {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { durability: Durability::Process, ..Options::default() };
        let store = Embedded::open(directory.path(), options).unwrap();
        let settings = Settings {
            version: "test".to_owned(),
            admin_key_hash: access::hash("admin"),
            chosen_keys: false,
            public_url: Some("https://api.example.org".to_owned()),
            bounded_answers: true,
            upload_limit: 4 << 20,
            uploads: Default::default(),
            lease: Default::default(),
        };
        let app = App::new(store.ports(), settings, None);
        Self { app, store, _directory: directory }
    }

    /// The answer of a function of the platform.
    async fn run(&self, name: &str, event: &Value) -> Value {
        let routes = light_registry::routes();
        let route = routes.iter().find(|route| route.name == name).unwrap();
        self.try_run(route, event).await.unwrap()
    }

    async fn try_run(&self, route: &Route, event: &Value) -> Result<Value, Failure> {
        self.measured(route, event).await.0
    }

    /// The answer, and the line of metrics.
    async fn measured(&self, route: &Route, event: &Value) -> (Result<Value, Failure>, Value) {
        let function = Function::new(route, &self.app, "test");
        let payload = RawValue::from_string(event.to_string()).unwrap();
        let (answer, how) = function.handle(LambdaEvent::new(payload, Default::default())).await;
        (answer.map(|answer| serde_json::from_str(answer.get()).unwrap()), how.line())
    }
}

/// What Lambda reports of a failed function: its error's type and message.
fn reported(failure: Failure) -> (String, String) {
    let Diagnostic { error_type, error_message } = failure.into();
    (error_type, error_message)
}

fn messages(bodies: &[&str]) -> Value {
    let record = |(number, body): (usize, &&str)| {
        json!({
            "messageId": format!("message-{number}"),
            "body": body,
            "attributes": { "SentTimestamp": "1768469400000", "ApproximateReceiveCount": "2" },
        })
    };
    json!({ "Records": bodies.iter().enumerate().map(record).collect::<Vec<_>>() })
}

#[tokio::test]
async fn only_the_failed_messages_of_a_batch_come_again() {
    let route = Route::queue("queue-test", "test", |_, body: Value| async move {
        if body["job"] == "poison" { Err(Error::internal("no such job")) } else { Ok(()) }
    });
    let batch = messages(&[r#"{"job":"a"}"#, r#"{"job":"poison"}"#, "not JSON", r#"{"job":"b"}"#]);
    let (answer, line) = Platform::new().measured(&route, &batch).await;
    let again = json!([{ "itemIdentifier": "message-1" }, { "itemIdentifier": "message-2" }]);
    assert_eq!(answer.unwrap(), json!({ "batchItemFailures": again }));
    assert_eq!((&line["errors"], &line["receives"]), (&json!(2), &json!(2)));
    assert_eq!((&line["area"], &line["stage"]), (&json!("queue"), &json!("test")));
    assert!(line["queue_age"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn the_messages_of_a_batch_do_not_wait_for_each_other() {
    let both = std::sync::Arc::new(tokio::sync::Barrier::new(2));
    let route = Route::queue("queue-test", "test", move |_, _| {
        let both = both.clone();
        async move {
            both.wait().await;
            Ok(())
        }
    });
    let answer = Platform::new().try_run(&route, &messages(&["1", "2"])).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
}

#[tokio::test]
async fn a_timer_that_fails_is_an_error_of_the_function() {
    let route = Route::timer("schedule-test", Duration::from_secs(60), |_| async {
        Err(Error::internal("the table does not answer"))
    });
    let (answer, line) = Platform::new().measured(&route, &json!({})).await;
    assert_eq!(line["errors"], 1);
    let (kind, message) = reported(answer.unwrap_err());
    assert_eq!((kind.as_str(), message.as_str()), ("INTERNAL_ERROR", "the table does not answer"));
}

#[tokio::test]
async fn a_call_is_answered_in_json_and_its_error_is_the_functions() {
    let route = Route::call("double", |_, number: i64| async move {
        if number < 0 { Err(Error::invalid("number", "is negative")) } else { Ok(2 * number) }
    });
    let platform = Platform::new();
    assert_eq!(platform.try_run(&route, &json!(21)).await.unwrap(), json!(42));
    let (kind, message) = reported(platform.try_run(&route, &json!(-1)).await.unwrap_err());
    assert_eq!((kind.as_str(), message.as_str()), ("VALIDATION_ERROR", "number: is negative"));
}

#[tokio::test]
async fn an_event_of_another_kind_is_refused_by_name() {
    let platform = Platform::new();
    for (name, expected) in
        [("health-basic", "format 2.0"), ("socket-hello", "WebSocket"), ("queue-uploads", "SQS")]
    {
        let routes = light_registry::routes();
        let route = routes.iter().find(|route| route.name == name).unwrap();
        let failure = platform.try_run(route, &json!({ "something": "else" })).await.unwrap_err();
        let (kind, message) = reported(failure);
        assert_eq!(kind, "BadEvent");
        assert!(message.contains(expected), "{name}: {message}");
    }
}

#[tokio::test]
async fn a_batch_of_changes_that_failed_comes_again_from_its_first() {
    let change = |number: &str| {
        let keys = json!({ "pk": { "S": "JOB#1" }, "sk": { "S": "HEAD" } });
        json!({ "dynamodb": { "Keys": keys, "NewImage": keys, "SequenceNumber": number } })
    };
    let batch = json!({
        "Records": [change("111500000000000006662"), change("111500000000000006663")],
    });
    let platform = Platform::new();
    let failing = Route::feed("feed-test", |_, changes| async move {
        assert_eq!(changes.len(), 2);
        Err(Error::internal("the table does not answer"))
    });
    let (answer, line) = platform.measured(&failing, &batch).await;
    let again = json!([{ "itemIdentifier": "111500000000000006662" }]);
    assert_eq!(answer.unwrap(), json!({ "state": {}, "batchItemFailures": again }));
    assert_eq!(line["errors"], 1);
    let done = Route::feed("feed-test", |_, _| async { Ok(()) });
    let nothing = json!({ "state": {}, "batchItemFailures": [] });
    assert_eq!(platform.try_run(&done, &batch).await.unwrap(), nothing);
    let empty = json!({ "Records": [], "isFinalInvokeForWindow": true, "shardId": "shard-1" });
    assert_eq!(platform.try_run(&failing, &empty).await.unwrap(), nothing);
}
