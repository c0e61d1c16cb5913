//! Jobs that go on without their caller: accepted, waited for, cancelled, timed out.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    assert_refused,
    support::{Platform, answer, assert_close, eventually, fixture_json, mlp_case, numbers},
    text,
};

/// Submits the example with more in its body; the answer is the job's id.
async fn accepted(platform: &Platform, model: &str, more: Value) -> String {
    let mut body = json!({ "model_id": model, "input": mlp_case().0, "async": true });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (status, answer) = platform.client.post("/inference", body).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
    text(&answer["job_id"]).to_owned()
}

async fn state(platform: &Platform, job: &str) -> Value {
    platform.client.get(&format!("/inference/{job}")).await.1["status"].clone()
}

#[tokio::test]
async fn an_accepted_job_is_polled_until_its_result_is_there() {
    let platform = Platform::start();
    let model = platform.upload("mlp.onnx").await;
    let (input, output) = mlp_case();
    let body = json!({ "model_id": model, "input": input, "async": true, "project_id": "mine" });
    let (status, accepted) = platform.client.post("/inference", body).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
    let id = text(&accepted["job_id"]);
    insta::assert_json_snapshot!(accepted, {
        ".job_id" => "[id]",
        ".poll_url" => insta::dynamic_redaction({
            let expected = format!("/api/v1/inference/{id}");
            move |url, _| {
                assert_eq!(url.as_str().unwrap(), expected);
                "/api/v1/inference/[id]"
            }
        }),
    }, @r#"
    {
      "job_id": "[id]",
      "message": "Inference job queued",
      "poll_url": "/api/v1/inference/[id]",
      "status": "queued"
    }
    "#);
    let job = platform.client.until_ended(id).await;
    assert_eq!((&job["status"], &job["project_id"]), (&json!("completed"), &json!("mine")));
    assert_close(&job["result"], &output);
}

#[tokio::test]
async fn there_are_four_ways_to_ask_for_it() {
    let platform = Platform::start();
    let model = platform.upload("mlp.onnx").await;
    let body = json!({ "model_id": model, "input": mlp_case().0 });
    let request = |query: &str| {
        platform.client.request(Method::POST, &format!("/inference{query}")).json(&body)
    };
    for request in [
        request("?async=true"),
        request("").header("X-Async", "true"),
        request("").header("Prefer", "respond-async"),
        request("").header("Prefer", "handling=lenient, respond-async"),
    ] {
        let (status, accepted) = answer(request).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
        let job = platform.client.until_ended(text(&accepted["job_id"])).await;
        assert_eq!(job["status"], "completed");
    }
    for request in [
        request("?async=false"),
        request("").header("X-Async", "false"),
        request("").header("Prefer", "wait=20"),
    ] {
        assert_eq!(answer(request).await.0, StatusCode::OK);
    }
    // whoever waits for nothing is told where to look, unless it is there already
    let (status, job) = answer(request("").header("Prefer", "wait=0")).await;
    assert!(status.is_success(), "{job}");
    let job = platform.client.until_ended(text(&job["job_id"])).await;
    assert_eq!(job["status"], "completed");
}

#[tokio::test]
async fn large_inputs_wait_with_their_job() {
    let platform = Platform::without_own_device();
    let model = platform.upload("wide.onnx").await;
    let case = fixture_json("wide.json")["cases"][0].clone();
    let row = numbers(&case["input"]["data"]);
    let input = json!({ "data": row.repeat(40), "shape": [40, 16] });
    let body = json!({ "model_id": model, "input": input, "async": true });
    let (_, accepted) = platform.client.post("/inference", body).await;
    let _device = platform.device("desk").await;
    let job = platform.client.until_ended(text(&accepted["job_id"])).await;
    assert_eq!(job["status"], "completed");
    let data = numbers(&job["result"]["data"]);
    assert_eq!(data.len(), 40 * 16_384);
    assert_close(&json!({ "data": data[..8] }), &numbers(&case["first"]));
}

#[tokio::test]
async fn a_queued_job_is_cancelled_once() {
    let platform = Platform::without_own_device();
    let model = platform.upload("mlp.onnx").await;
    let id = accepted(&platform, &model, json!({})).await;
    let path = format!("/inference/{id}");
    let (status, job) = platform.client.get(&path).await;
    assert_eq!(status, StatusCode::OK);
    insta::assert_json_snapshot!(job, {
        ".job_id" => "[id]", ".model_id" => "[id]", ".created_at" => "[time]"
    }, @r#"
    {
      "attempts": 0,
      "created_at": "[time]",
      "job_id": "[id]",
      "model_id": "[id]",
      "model_version": 1,
      "status": "queued"
    }
    "#);
    let (status, answer) = platform.client.delete(&path).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer, json!({ "job_id": id, "status": "cancelled" }));
    let again = platform.client.delete(&path).await;
    assert_refused(again, 409, "CANNOT_CANCEL", &["the job is cancelled"]);
    assert_eq!(state(&platform, &id).await, "cancelled");
    // nor does a device that comes later run it
    let _device = platform.device("desk").await;
    assert_eq!(platform.client.get(&path).await.1["attempts"], 0);
}

#[tokio::test]
async fn a_finished_job_is_not_cancelled() {
    let platform = Platform::start();
    let model = platform.upload("mlp.onnx").await;
    let (_, job) = platform.client.infer(&model, &mlp_case().0).await;
    let path = format!("/inference/{}", text(&job["job_id"]));
    let answer = platform.client.delete(&path).await;
    assert_refused(answer, 409, "CANNOT_CANCEL", &["the job is completed"]);
    assert_eq!(platform.client.get(&path).await.1, job);
}

#[tokio::test]
async fn a_job_waits_for_a_device() {
    let platform = Platform::without_own_device();
    let model = platform.upload("mlp.onnx").await;
    let id = accepted(&platform, &model, json!({})).await;
    assert_eq!(state(&platform, &id).await, "queued");
    let _device = platform.device("desk").await;
    let job = platform.client.until_ended(&id).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert_close(&job["result"], &mlp_case().1);
}

#[tokio::test]
async fn who_waits_is_told_that_nothing_could_run_it() {
    let platform = Platform::without_own_device();
    let model = platform.upload("mlp.onnx").await;
    let body = json!({ "model_id": model, "input": mlp_case().0 });
    let response =
        platform.client.request(Method::POST, "/inference").json(&body).send().await.unwrap();
    let retry_after = response.headers()["retry-after"].to_str().unwrap().to_owned();
    assert!(retry_after.parse::<u32>().unwrap() > 0, "{retry_after}");
    let answer = (response.status(), response.json().await.unwrap());
    assert_refused(answer, 503, "NO_DEVICES", &["dcmp device", "\"async\": true"]);
    let (_, health) = platform.client.get("/health/detailed").await;
    assert_eq!(health["jobs"], json!({ "queued": 0, "running": 0 }), "nothing stays");
}

#[tokio::test]
async fn a_wish_that_nobody_fulfils_is_no_device() {
    let platform = Platform::start();
    let model = platform.upload("mlp.onnx").await;
    let body = |wish: Value| json!({ "model_id": model, "input": mlp_case().0, "options": wish });
    let answer = platform.client.post("/inference", body(json!({ "instance_type": "user" }))).await;
    assert_refused(answer, 503, "NO_DEVICES", &[]);
    // a preference is no condition
    let wish = json!({ "prefer_gpu": true, "instance_type": "aws" });
    assert_eq!(platform.client.post("/inference", body(wish)).await.0, StatusCode::OK);
}

#[tokio::test]
async fn placement_decides_whose_device_is_asked() {
    let platform = Platform::start();
    let _device = platform.device("desk").await;
    let device = platform.until_listed("desk", "idle").await;
    let model = platform.upload("mlp.onnx").await;
    let mut body = json!({ "model_id": model, "input": mlp_case().0 });
    // the view that placement has of the devices lags a moment behind
    eventually("a job on one's own device", || async {
        let (_, job) = platform.client.post("/inference", body.clone()).await;
        (job["device_id"] == device["id"]).then_some(())
    })
    .await;
    body["placement"] = json!("platform");
    let (_, job) = platform.client.post("/inference", body).await;
    assert_ne!(job["device_id"], device["id"]);
    assert_eq!(job["status"], "completed");
}

#[tokio::test]
async fn a_deadline_ends_a_job_that_nobody_ran() {
    let platform = Platform::without_own_device();
    let model = platform.upload("mlp.onnx").await;
    let id = accepted(&platform, &model, json!({ "options": { "deadline_ms": 1 } })).await;
    let job = platform.client.until_ended(&id).await;
    assert_eq!(job["status"], "timed_out");
    assert_eq!(job["error"]["code"], "DEADLINE_EXCEEDED");
    assert!(text(&job["error"]["message"]).contains("before a device was free"), "{job}");
    let answer = platform.client.delete(&format!("/inference/{id}")).await;
    assert_refused(answer, 409, "CANNOT_CANCEL", &["timed_out"]);
}

#[tokio::test]
async fn a_job_whose_model_is_deleted_fails_cleanly() {
    let platform = Platform::without_own_device();
    let model = platform.upload("mlp.onnx").await;
    let id = accepted(&platform, &model, json!({})).await;
    assert_eq!(platform.client.delete(&format!("/models/{model}")).await.0, StatusCode::NO_CONTENT);
    let _device = platform.device("desk").await;
    let job = platform.client.until_ended(&id).await;
    assert_eq!((&job["status"], &job["error"]["code"]), (&json!("failed"), &json!("NO_MODEL")));
    assert_eq!(job["model_id"], json!(model));
}

#[tokio::test]
async fn finished_jobs_no_longer_count() {
    let platform = Platform::without_own_device();
    let model = platform.upload("mlp.onnx").await;
    let id = accepted(&platform, &model, json!({})).await;
    let queued = |count: u64| {
        let platform = &platform;
        async move {
            let (_, health) = platform.client.get("/health/detailed").await;
            (health["jobs"]["queued"] == count).then_some(())
        }
    };
    eventually("the queued job", || queued(1)).await;
    platform.client.delete(&format!("/inference/{id}")).await;
    eventually("no queued job", || queued(0)).await;
}
