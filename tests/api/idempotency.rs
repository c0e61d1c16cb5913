//! `Idempotency-Key`: whatever is repeated with it happens once.

use std::collections::BTreeSet;

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    assert_refused, form,
    support::{Client, Platform, answer, fixture, mlp_case},
    text,
};

async fn post(client: &Client, path: &str, key: &str, body: &Value) -> (StatusCode, Value) {
    answer(client.request(Method::POST, path).header("Idempotency-Key", key).json(body)).await
}

async fn upload(client: &Client, key: &str, bytes: Vec<u8>, name: &str) -> (StatusCode, Value) {
    let form = form("mlp.onnx", bytes, &[("name", name)]);
    let request = client.request(Method::POST, "/models").header("Idempotency-Key", key);
    answer(request.multipart(form)).await
}

const MISMATCH: &[&str] = &["Idempotency-Key", "different request", "new key"];

#[tokio::test]
async fn an_inference_runs_once() {
    let platform = Platform::start();
    let model = platform.upload("mlp.onnx").await;
    let mut body = json!({ "model_id": model, "input": mlp_case().0 });
    let first = post(&platform.client, "/inference", "k", &body).await;
    assert_eq!(first.0, StatusCode::OK, "{}", first.1);
    assert_eq!(post(&platform.client, "/inference", "k", &body).await, first);
    body["input"]["data"][0] = json!(0.5);
    let other = post(&platform.client, "/inference", "k", &body).await;
    assert_refused(other, 422, "IDEMPOTENCY_MISMATCH", MISMATCH);
    let other = post(&platform.client, "/inference", "l", &body).await;
    assert_ne!(other.1["job_id"], first.1["job_id"]);
}

#[tokio::test]
async fn an_accepted_job_is_accepted_once() {
    let platform = Platform::without_own_device();
    let model = platform.upload("mlp.onnx").await;
    let mut body = json!({ "model_id": model, "input": mlp_case().0, "async": true });
    let first = post(&platform.client, "/inference", "k", &body).await;
    assert_eq!(first.0, StatusCode::ACCEPTED, "{}", first.1);
    assert_eq!(post(&platform.client, "/inference", "k", &body).await, first);
    body["options"] = json!({ "deadline_ms": 1_000 });
    let other = post(&platform.client, "/inference", "k", &body).await;
    assert_refused(other, 422, "IDEMPOTENCY_MISMATCH", MISMATCH);
}

#[tokio::test]
async fn a_model_is_uploaded_once() {
    let platform = Platform::without_own_device();
    let file = || fixture("mlp.onnx");
    let first = upload(&platform.client, "k", file(), "a").await;
    assert_eq!(first.0, StatusCode::CREATED);
    // another boundary, the same fields
    assert_eq!(upload(&platform.client, "k", file(), "a").await, first);
    for (file, name) in [(file(), "b"), (fixture("cnn.onnx"), "a")] {
        let other = upload(&platform.client, "k", file, name).await;
        assert_refused(other, 422, "IDEMPOTENCY_MISMATCH", MISMATCH);
    }
    assert_eq!(platform.client.get("/models").await.1["total"], 1);
}

#[tokio::test]
async fn customers_and_keys_are_made_once() {
    let platform = Platform::without_own_device();
    let body = json!({ "name": "Ada" });
    let ada = post(&platform.admin, "/admin/customers", "k", &body).await;
    assert_eq!(ada.0, StatusCode::CREATED);
    assert_eq!(post(&platform.admin, "/admin/customers", "k", &body).await, ada);
    let keys = format!("/admin/customers/{}/keys", text(&ada.1["id"]));
    let (status, mut key) = post(&platform.admin, &keys, "k", &json!({})).await;
    assert_eq!(status, StatusCode::CREATED, "the same word on another route is another key");
    // what is stored nowhere cannot be shown again
    let shown = key.as_object_mut().unwrap().remove("secret");
    assert!(shown.is_some());
    assert_eq!(post(&platform.admin, &keys, "k", &json!({})).await, (StatusCode::CREATED, key));
    let others = [("/admin/customers", json!({ "name": "Bob" })), (&*keys, json!({ "name": "b" }))];
    for (path, body) in others {
        let other = post(&platform.admin, path, "k", &body).await;
        assert_refused(other, 422, "IDEMPOTENCY_MISMATCH", MISMATCH);
    }
    let (_, list) = platform.admin.get(&keys).await;
    assert_eq!(list["keys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn customers_do_not_meet_in_a_key() {
    let platform = Platform::start();
    let stranger = platform.stranger().await;
    let mut jobs = Vec::new();
    for client in [&platform.client, &stranger] {
        let (status, model) = upload(client, "k", fixture("mlp.onnx"), "a").await;
        assert_eq!(status, StatusCode::CREATED);
        let body = json!({ "model_id": model["id"], "input": mlp_case().0 });
        let (status, job) = post(client, "/inference", "k", &body).await;
        assert_eq!(status, StatusCode::OK, "{job}");
        jobs.push(job["job_id"].clone());
    }
    assert_ne!(jobs[0], jobs[1]);
}

#[tokio::test]
async fn a_refused_request_leaves_the_key_free() {
    let platform = Platform::start();
    let refused = upload(&platform.client, "k", b"no model".to_vec(), "a").await;
    assert_refused(refused, 400, "VALIDATION_ERROR", &["model: "]);
    let (status, model) = upload(&platform.client, "k", fixture("mlp.onnx"), "a").await;
    assert_eq!(status, StatusCode::CREATED, "{model}");
    let mut body = json!({ "model_id": "model_0", "input": mlp_case().0 });
    let refused = post(&platform.client, "/inference", "k", &body).await;
    assert_refused(refused, 404, "NO_MODEL", &[]);
    body["model_id"] = model["id"].clone();
    let (status, job) = post(&platform.client, "/inference", "k", &body).await;
    assert_eq!(status, StatusCode::OK, "{job}");
}

/// What came of many identical requests at once: the ids of what was made. Those that came while the
/// first was at work are told so.
fn made(answers: &[(StatusCode, Value)], id: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for (status, body) in answers {
        match status.as_u16() {
            200..=202 => drop(ids.insert(text(&body[id]).to_owned())),
            _ => assert_refused((*status, body.clone()), 409, "CONFLICT", &["in progress"]),
        }
    }
    ids
}

#[tokio::test]
async fn of_64_identical_inferences_one_runs() {
    let platform = Platform::start();
    let model = platform.upload("mlp.onnx").await;
    for run_async in [false, true] {
        let body = json!({ "model_id": model, "input": mlp_case().0, "async": run_async });
        let key = format!("at once {run_async}");
        let call = || post(&platform.client, "/inference", &key, &body);
        let jobs = made(&join_all((0..64).map(|_| call())).await, "job_id");
        assert_eq!(jobs.len(), 1, "{jobs:?}");
        let job = platform.client.until_ended(jobs.first().unwrap()).await;
        assert_eq!((&job["status"], &job["attempts"]), (&json!("completed"), &json!(1)));
        // the first answer again, whatever became of the job
        let (status, again) = call().await;
        match run_async {
            true => {
                assert_eq!((status, &again["status"]), (StatusCode::ACCEPTED, &json!("queued")))
            }
            false => assert_eq!((status, again), (StatusCode::OK, job)),
        }
    }
}

#[tokio::test]
async fn of_64_identical_inferences_a_device_runs_one() {
    let platform = Platform::without_own_device();
    let _device = platform.device("desk").await;
    let model = platform.upload("mlp.onnx").await;
    let body = json!({ "model_id": model, "input": mlp_case().0 });
    let calls = (0..64).map(|_| post(&platform.client, "/inference", "k", &body));
    let jobs = made(&join_all(calls).await, "job_id");
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    let tasks = crate::support::eventually("one counted task", || async {
        let (_, stats) = platform.client.get("/devices/stats").await;
        (stats["tasks_completed"] != 0).then(|| stats["tasks_completed"].clone())
    });
    assert_eq!(tasks.await, 1);
}

#[tokio::test]
async fn of_64_identical_uploads_one_is_kept() {
    let platform = Platform::without_own_device();
    let calls = (0..64).map(|_| upload(&platform.client, "k", fixture("mlp.onnx"), "a"));
    assert_eq!(made(&join_all(calls).await, "id").len(), 1);
    assert_eq!(platform.client.get("/models").await.1["total"], 1);
    assert_eq!(crate::files(&platform.data.join("blobs")).len(), 1);
}
