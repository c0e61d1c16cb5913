//! Work that waits for a device.

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Platform, assert_close, mlp_case, numbers};

#[tokio::test]
async fn work_that_was_accepted_without_a_device_runs_when_one_comes() {
    let platform = Platform::without_own_device();
    let model = platform.upload("mlp.onnx").await;
    let (input, expected) = mlp_case();
    let mut jobs = Vec::new();
    for _ in 0..20 {
        let request = json!({ "model_id": model, "input": input, "async": true });
        let (status, accepted) = platform.client.post("/inference", request).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
        assert_eq!(accepted["status"], "queued");
        jobs.push(accepted["job_id"].as_str().unwrap().to_owned());
    }
    let _device = platform.device("late").await;
    for job in jobs {
        let job = platform.client.until_ended(&job).await;
        assert_eq!(job["status"], "completed", "{job}");
        assert_close(&job["result"], &expected);
    }
}

#[tokio::test]
async fn accepted_work_survives_a_crash_of_the_platform_and_then_runs() {
    let mut platform = Platform::without_own_device();
    let model = platform.upload("wide.onnx").await;
    let case = crate::support::fixture_json("wide.json")["cases"][0].clone();
    let request = json!({ "model_id": model, "input": case["input"], "async": true });
    let (status, accepted) = platform.client.post("/inference", request).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
    platform.crash_and_restart();
    let _device = platform.device("late").await;
    let job = platform.client.until_ended(accepted["job_id"].as_str().unwrap()).await;
    assert_eq!(job["status"], "completed", "{job}");
    // a result that does not fit into a frame
    let data = numbers(&job["result"]["data"]);
    assert_eq!(data.len(), 16_384);
    let first = numbers(&case["first"]);
    assert!(data.iter().zip(&first).all(|(found, expected)| (found - expected).abs() < 1e-5));
}

#[tokio::test]
async fn shared_devices_serve_others_only_when_asked_to() {
    let platform = Platform::without_own_device();
    let _shared = platform.device_with("shared", &["--share", "everyone"]).await;
    let stranger = platform.stranger().await;
    let model = stranger.upload("mlp.onnx").await;
    let (input, expected) = mlp_case();
    let (status, error) = stranger.infer(&model, &input).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{error}");
    let request = json!({ "model_id": model, "input": input, "placement": "shared" });
    let (status, job) = stranger.post("/inference", request).await;
    assert_eq!(status, StatusCode::OK, "{job}");
    assert_close(&job["result"], &expected);
    let (_, list) = stranger.get("/devices").await;
    assert_eq!(list["total"], 1);
    let device = &list["devices"][0];
    assert_eq!(device["id"], job["device_id"]);
    for private in ["name", "uuid", "hardware", "metrics"] {
        assert!(device[private].is_null(), "{device}");
    }
    let (_, own) = platform.client.get("/devices").await;
    assert_eq!(own["total"], 1);
    assert_eq!(own["devices"][0]["name"], "shared");
}

#[tokio::test]
async fn more_work_than_a_device_holds_waits_and_is_done() {
    let platform = Platform::without_own_device();
    let _device = platform.device_with("small", &["--slots", "1"]).await;
    let model = platform.upload("mlp.onnx").await;
    let (input, expected) = mlp_case();
    let request = json!({ "model_id": model, "input": input, "async": true });
    let submit = || platform.client.post("/inference", request.clone());
    let accepted = futures::future::join_all((0..100).map(|_| submit())).await;
    for (status, accepted) in accepted {
        assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
        let job = platform.client.until_ended(accepted["job_id"].as_str().unwrap()).await;
        assert_eq!(job["status"], "completed", "{job}");
        assert_eq!(job["attempts"], 1);
        assert_close(&job["result"], &expected);
    }
}
