//! Every event of `events/` goes through its function, on a store of its own, and is answered well.

#![allow(clippy::unwrap_used, reason = "tests")]

mod world;

use std::{collections::BTreeSet, path::Path};

use api::{Entry, Route, socket::UNKNOWN};
use serde_json::{Value, json};
use service::inference;

use world::World;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../events")
}

#[test]
fn every_function_has_its_event_and_every_event_its_function() {
    let files = std::fs::read_dir(folder()).unwrap();
    let files: BTreeSet<_> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    let routes: BTreeSet<_> =
        registry::routes().iter().map(|route| format!("{}.json", route.name)).collect();
    assert_eq!(files, routes, "`cargo xtask events` writes what is missing");
}

#[tokio::test]
async fn every_event_is_answered_by_its_function() {
    for route in registry::routes() {
        let mut world = World::new().await;
        for first in before(route.name) {
            world.run(first).await;
        }
        let answer = world.run(route.name).await;
        assert_well(&route, &answer);
        let faults: Vec<_> =
            world.frames().into_iter().filter(|frame| frame["type"] == "error").collect();
        let is_unknown = matches!(route.entry, Entry::Message(UNKNOWN, _));
        assert_eq!(faults.is_empty(), !is_unknown, "{} said {faults:?} to the device", route.name);
    }
}

/// What must have happened before the event of a function.
fn before(name: &str) -> &'static [&'static str] {
    match name {
        "queue-uploads" => &["models-complete"],
        _ => &[],
    }
}

#[track_caller]
fn assert_well(route: &Route, answer: &Value) {
    let name = route.name;
    match &route.entry {
        Entry::Http(_) => {
            let status = answer["statusCode"].as_u64().unwrap();
            assert!((200..400).contains(&status), "{name}: {answer}");
            assert!(answer["headers"]["x-request-id"].is_string(), "{name}: {answer}");
        }
        Entry::Message(UNKNOWN, _) => assert_eq!(answer, &json!({ "statusCode": 400 }), "{name}"),
        Entry::Connect(_) | Entry::Disconnect(_) | Entry::Message(..) => {
            assert_eq!(answer, &json!({ "statusCode": 200 }), "{name}");
        }
        Entry::Queue(..) => assert_eq!(answer, &json!({ "batchItemFailures": [] }), "{name}"),
        Entry::Feed(_) => {
            assert_eq!(answer, &json!({ "state": {}, "batchItemFailures": [] }), "{name}");
        }
        Entry::Timer(..) => assert_eq!(answer, &Value::Null, "{name}"),
        Entry::Call(_) => assert!(answer.get("refused").is_none(), "{name}: {answer}"),
    }
}

#[tokio::test]
async fn a_result_that_comes_as_an_event_ends_its_job() {
    let world = World::new().await;
    world.run("socket-task-done").await;
    let shown = world.run("inference-show").await;
    let job: Value = serde_json::from_str(shown["body"].as_str().unwrap()).unwrap();
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(job["device_id"], world.device.as_str());
}

#[tokio::test]
async fn a_model_that_comes_in_parts_is_ready_after_its_event() {
    let world = World::new().await;
    world.run("models-complete").await;
    world.run("queue-uploads").await;
    let listed = world.run("models-list").await;
    let models: Value = serde_json::from_str(listed["body"].as_str().unwrap()).unwrap();
    let statuses: Vec<_> =
        models["models"].as_array().unwrap().iter().map(|model| &model["status"]).collect();
    assert_eq!(statuses, ["ready", "ready"]);
}

#[tokio::test]
async fn queued_work_runs_on_the_deployments_own_device_when_no_other_is_there() {
    let world = World::new().await;
    world.run("socket-bye").await;
    world.run("queue-work").await;
    let job = inference::get(&world.app, &world.customer, &world.queued).await.unwrap();
    assert_eq!(
        (job.status.as_str(), job.device_id.as_deref()),
        ("completed", Some("dev_platform"))
    );
}
