//! A device dies or stops in the middle of an inference.
//!
//! "In the middle" is made by stopping the device (SIGSTOP) before the request is sent: the platform
//! sends it the task, and it never answers.

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::{KEY, Options, Platform, assert_close, eventually, mlp_case};

const STOP: i32 = 19;
const CONTINUE: i32 = 18;

/// Begins an inference; returns when the only device, which is stopped, has the task: the platform
/// counts the job as running then.
pub(crate) async fn begin(
    platform: &Platform,
    model: &str,
    input: &Value,
) -> JoinHandle<(StatusCode, Value)> {
    let (client, model, input) = (platform.client.clone(), model.to_owned(), input.clone());
    let call = tokio::spawn(async move { client.infer(&model, &input).await });
    eventually("the task on the stopped device", || async {
        let (_, health) = platform.client.get("/health/detailed").await;
        (health["jobs"]["running"] == 1 || call.is_finished()).then_some(())
    })
    .await;
    if call.is_finished() {
        panic!("nobody was to answer: {:?}", call.await);
    }
    call
}

#[tokio::test]
async fn when_a_device_is_killed_the_answer_comes_from_another() {
    let platform = Platform::without_own_device();
    let mut doomed = platform.device("doomed").await;
    let model = platform.upload("mlp.onnx").await;
    let (input, expected) = mlp_case();
    doomed.process.signal(STOP);
    let call = begin(&platform, &model, &input).await;
    let _other = platform.device("other").await;
    doomed.process.kill();
    let (status, job) = call.await.unwrap();
    assert_eq!(status, StatusCode::OK, "{job}");
    assert_eq!(job["status"], "completed");
    assert_close(&job["result"], &expected);
    assert_eq!(job["attempts"], 2);
    let other = platform.until_listed("other", "idle").await;
    assert_eq!(job["device_id"], other["id"]);
}

#[tokio::test]
async fn a_device_that_returns_after_being_replaced_changes_nothing() {
    let platform = Platform::without_own_device();
    let zombie = platform.device("zombie").await;
    let model = platform.upload("mlp.onnx").await;
    let (input, expected) = mlp_case();
    zombie.process.signal(STOP);
    let call = begin(&platform, &model, &input).await;
    let _other = platform.device("other").await;
    let (status, job) = call.await.unwrap();
    assert_eq!(status, StatusCode::OK, "{job}");
    assert_close(&job["result"], &expected);
    let path = format!("/inference/{}", job["job_id"].as_str().unwrap());
    let (_, before) = platform.client.get(&path).await;
    zombie.process.signal(CONTINUE);
    // it is back when it does work again: by then its late result has been judged, as it was sent first
    let zombie_id = platform.until_listed("zombie", "idle").await["id"].clone();
    eventually("an answer of the device that came back", || async {
        let (_, job) = platform.client.infer(&model, &input).await;
        (job["device_id"] == zombie_id).then_some(())
    })
    .await;
    let (_, after) = platform.client.get(&path).await;
    assert_eq!(before, after);
    let (_, device) =
        platform.client.get(&format!("/devices/{}", zombie_id.as_str().unwrap())).await;
    assert_eq!(device["owned"], true);
}

#[tokio::test]
async fn a_late_result_counts_when_nobody_replaced_the_device() {
    let platform = Platform::without_own_device();
    let slow = platform.device("slow").await;
    let model = platform.upload("mlp.onnx").await;
    let (input, expected) = mlp_case();
    slow.process.signal(STOP);
    let request = json!({ "model_id": model, "input": input, "options": { "timeout": 1500 } });
    let (status, accepted) = platform.client.post("/inference", request).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
    assert_eq!(accepted["status"], "running");
    slow.process.signal(CONTINUE);
    let job = platform.client.until_ended(accepted["job_id"].as_str().unwrap()).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert_close(&job["result"], &expected);
}

#[tokio::test]
async fn work_without_a_caller_moves_to_another_device_when_its_device_dies() {
    let options =
        Options { own_device: false, heartbeat_ms: 200, lease_ms: 1_000, ..Options::default() };
    let platform = Platform::with(options);
    let mut doomed = platform.device("doomed").await;
    let model = platform.upload("mlp.onnx").await;
    let (input, expected) = mlp_case();
    doomed.process.signal(STOP);
    let request = json!({ "model_id": model, "input": input, "async": true });
    let (status, accepted) = platform.client.post("/inference", request).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
    let path = accepted["poll_url"].as_str().unwrap().strip_prefix("/api/v1").unwrap().to_owned();
    eventually("the task on the stopped device", || async {
        let (_, job) = platform.client.get(&path).await;
        (job["status"] == "running").then_some(())
    })
    .await;
    doomed.process.kill();
    let _other = platform.device("other").await;
    let job = platform.client.until_ended(accepted["job_id"].as_str().unwrap()).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert_close(&job["result"], &expected);
}

#[tokio::test]
async fn a_device_that_is_told_to_end_finishes_and_says_goodbye() {
    let platform = Platform::without_own_device();
    let mut device = platform.device("leaving").await;
    let model = platform.upload("mlp.onnx").await;
    let (input, _) = mlp_case();
    let (status, _) = platform.client.infer(&model, &input).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(device.process.end(), Some(0), "{}", device.process.said());
    platform.until_listed("leaving", "offline").await;
    assert!(!device.process.said().contains(KEY));
    let (status, error) = platform.client.infer(&model, &input).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(error["error"]["code"], "NO_DEVICES");
}

#[tokio::test]
async fn a_device_that_was_given_up_works_again_when_it_comes_back() {
    let options =
        Options { own_device: false, heartbeat_ms: 200, lease_ms: 600, ..Options::default() };
    let platform = Platform::with(options);
    let device = platform.device("frozen").await;
    let model = platform.upload("mlp.onnx").await;
    let (input, expected) = mlp_case();
    device.process.signal(STOP);
    let request = json!({ "model_id": model, "input": input, "async": true });
    let (status, accepted) = platform.client.post("/inference", request).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
    platform.until_listed("frozen", "offline").await;
    device.process.signal(CONTINUE);
    let job = platform.client.until_ended(accepted["job_id"].as_str().unwrap()).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert_close(&job["result"], &expected);
    eventually("an answer of the device that came back", || async {
        let (status, _) = platform.client.infer(&model, &input).await;
        (status == StatusCode::OK).then_some(())
    })
    .await;
}
