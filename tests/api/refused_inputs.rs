//! Inputs and options that are refused: each with its place and what to change, and no job stays.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    assert_refused,
    support::{Platform, answer, mlp_case},
};

async fn assert_no_job_stays(platform: &Platform) {
    // counts are folded from the changes; a job behind the refused ones comes after them
    let model = platform.upload("mlp.onnx").await;
    let body = json!({ "model_id": model, "input": mlp_case().0, "async": true });
    platform.client.post("/inference", body).await;
    let jobs = crate::support::eventually("the count of one job", || async {
        let (_, health) = platform.client.get("/health/detailed").await;
        (health["jobs"]["queued"] != 0).then(|| health["jobs"].clone())
    });
    assert_eq!(jobs.await, json!({ "queued": 1, "running": 0 }));
}

#[tokio::test]
async fn tensors_that_the_model_does_not_take() {
    let platform = Platform::without_own_device();
    let mlp = platform.upload("mlp.onnx").await;
    let cnn = platform.upload("cnn.onnx").await;
    let ten = [0.5; 10];
    // 1.0, then NaN, infinity
    let nan = "AACAPwAAwH8AAIA/AACAPwAAgD8AAIA/AACAPwAAgD8AAIA/AACAPw==";
    let infinity = "AACAPwAAgD8AAIB/AACAPwAAgD8AAIA/AACAPwAAgD8AAIA/AACAPw==";
    let cases: [(&str, Value, &[&str]); 20] = [
        (&mlp, json!({ "data": ten, "shape": [2, 5] }), &["input.shape", "[N, 10]", "[2, 5]"]),
        (&mlp, json!({ "data": ten, "shape": [10] }), &["input.shape", "[N, 10]"]),
        (&mlp, json!({ "data": ten, "shape": [1, 9] }), &["input.shape", "needs 9", "has 10"]),
        (&mlp, json!({ "data": ten, "shape": [-1, 10] }), &["input.shape", "non-negative"]),
        (&mlp, json!({ "data": ten, "shape": "1x10" }), &["input.shape", "[1, 10]"]),
        (&mlp, json!({ "data": ten }), &["input.shape", "missing"]),
        (&mlp, json!({ "data": [], "shape": [u64::MAX, 8] }), &["input.shape", "memory"]),
        (&mlp, json!({ "shape": [1, 10] }), &["input.data", "missing"]),
        (&mlp, json!({ "data": "0.5", "shape": [1, 10] }), &["input.data", "flat list"]),
        (&mlp, json!({ "data": [ten], "shape": [1, 10] }), &["input.data[0]", "flatten"]),
        (&mlp, json!({ "data": [1, 2, "x"], "shape": [1, 3] }), &["input.data[2]", "\"x\""]),
        (&mlp, json!({ "data": [null], "shape": [1, 1] }), &["input.data[0]", "null"]),
        (&mlp, json!({ "data": [1e39], "shape": [1, 1] }), &["input.data[0]", "finite"]),
        (
            &mlp,
            json!({ "data": ten, "shape": [1, 10], "dtype": "int64" }),
            &["input.dtype", "float32"],
        ),
        (
            &mlp,
            json!({ "data": ten, "shape": [1, 10], "dtype": "real" }),
            &["input.dtype", "NumPy"],
        ),
        (&mlp, json!({ "data_b64": nan, "shape": [1, 10] }), &["input.data[1]", "finite"]),
        (&mlp, json!({ "data_b64": infinity, "shape": [1, 10] }), &["input.data[2]", "finite"]),
        (&mlp, json!({ "data_b64": "%%%", "shape": [1, 10] }), &["input.data_b64", "base64"]),
        (&mlp, json!([0.5]), &["input", "\"data\"", "\"shape\""]),
        // the batch is fixed
        (&cnn, json!({ "data": vec![0; 128], "shape": [2, 1, 8, 8] }), &["[1, 1, 8, 8]"]),
    ];
    for (model, input, words) in cases {
        assert_refused(platform.client.infer(model, &input).await, 400, "VALIDATION_ERROR", words);
    }
    assert_no_job_stays(&platform).await;
}

#[tokio::test]
async fn named_inputs_that_the_model_does_not_have() {
    let platform = Platform::without_own_device();
    let model = platform.upload("two.onnx").await;
    let a = json!({ "data": [1, 2, 3, 4], "shape": [1, 4] });
    let cases: [(Value, &[&str]); 6] = [
        (a.clone(), &["input: ", "\"inputs\"", "`a`, `b`"]),
        (json!({ "inputs": { "a": a } }), &["input.inputs.b", "missing"]),
        (json!({ "inputs": { "a": a, "b": a, "c": a } }), &["input.inputs.c", "`a`, `b`"]),
        (
            json!({ "inputs": { "a": a, "b": { "data": [1, 2, 3, 0.5], "shape": [1, 4] } } }),
            &["input.inputs.b.data[3]", "int64", "0.5"],
        ),
        (
            json!({ "inputs": { "a": a, "b": { "data": [1], "shape": [1, 1] } } }),
            &["input.inputs.b.shape", "[N, 4]"],
        ),
        (
            json!({ "inputs": { "a": a, "b": { "data": [1], "shape": [1], "dtype": "int32" } } }),
            &["input.inputs.b.dtype", "int64", "int32"],
        ),
    ];
    for (input, words) in cases {
        assert_refused(platform.client.infer(&model, &input).await, 400, "VALIDATION_ERROR", words);
    }
}

#[tokio::test]
async fn options_that_mean_nothing() {
    let platform = Platform::without_own_device();
    let model = platform.upload("mlp.onnx").await;
    let cases: [(Value, &[&str]); 10] = [
        (json!({ "options": { "deadline_ms": 0 } }), &["options.deadline_ms", "1 to 86400000"]),
        (json!({ "options": { "deadline_ms": 86_400_001 } }), &["options.deadline_ms"]),
        (json!({ "options": { "timeout": "soon" } }), &["options.timeout"]),
        (json!({ "options": { "timeout": -1 } }), &["options.timeout"]),
        (json!({ "options": { "prefer_gpu": "yes" } }), &["options.prefer_gpu"]),
        (json!({ "options": { "instance_type": "gpu" } }), &["options.instance_type", "`user`"]),
        (json!({ "placement": "moon" }), &["placement", "`own`"]),
        (json!({ "async": "yes" }), &["async"]),
        (json!({ "project_id": 7 }), &["project_id"]),
        (json!({ "model_id": 7 }), &["model_id"]),
    ];
    for (wrong, words) in cases {
        let mut body = json!({ "model_id": model, "input": mlp_case().0 });
        body.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        let sent = platform.client.post("/inference", body).await;
        assert_refused(sent, 400, "VALIDATION_ERROR", words);
    }
    let request = |query: &str| {
        let body = json!({ "model_id": model, "input": mlp_case().0 });
        platform.client.request(Method::POST, &format!("/inference{query}")).json(&body)
    };
    for (request, words) in [
        (request("?async=maybe"), ["query: ", "async"]),
        (request("").header("X-Async", "maybe"), ["X-Async: ", "`true` or `false`"]),
        (request("").header("Prefer", "wait=soon"), ["Prefer: ", "whole number"]),
        (request("").header("Idempotency-Key", ""), ["Idempotency-Key: ", "1 to 255"]),
        (request("").header("Idempotency-Key", "k".repeat(256)), ["Idempotency-Key: ", "255"]),
        (request("").header("Idempotency-Key", "schlüssel"), ["Idempotency-Key: ", "ASCII"]),
    ] {
        assert_refused(answer(request).await, 400, "VALIDATION_ERROR", &words);
    }
    assert_no_job_stays(&platform).await;
}

#[tokio::test]
async fn models_that_are_not_there() {
    let platform = Platform::without_own_device();
    for model in ["model_0", "", "mlp", "model_0@1", "model_0@x", "../secret"] {
        let sent = platform.client.infer(model, &mlp_case().0).await;
        assert_refused(sent, 404, "NO_MODEL", &[&format!("`{}`", model.trim_end_matches("@1"))]);
    }
    for job in ["infer_0", "infer_", "model_1", "%20"] {
        let path = format!("/inference/{job}");
        let words = ["there is no inference job"];
        assert_refused(platform.client.get(&path).await, 404, "NOT_FOUND", &words);
        assert_refused(platform.client.delete(&path).await, 404, "NOT_FOUND", &words);
    }
}
