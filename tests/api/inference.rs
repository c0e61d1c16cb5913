//! `POST /inference`: the numbers that come back, for every kind of input.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    form, onnx,
    support::{Platform, answer, assert_close, fixture_json, mlp_case, numbers},
    text, upload,
};

/// The first example of the API's documentation, as it is pasted there.
#[tokio::test]
async fn the_first_example() {
    let platform = Platform::start();
    let file = crate::support::fixture("mlp.onnx");
    let fields = [("name", "my-classifier")];
    let (status, model) = upload(&platform.client, form("my_model.onnx", file, &fields)).await;
    assert_eq!((status, &model["name"]), (StatusCode::CREATED, &json!("my-classifier")));
    let body = r#"{
        "model_id": "model_abc123",
        "input": {
          "data": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0],
          "shape": [1, 10]
        }
      }"#;
    let request = platform
        .client
        .http
        .post(format!("{}/api/v1/inference", platform.url))
        .header("X-API-Key", "test-api-key")
        .header("Content-Type", "application/json")
        .body(body.replace("model_abc123", text(&model["id"])));
    let (status, job) = answer(request).await;
    assert_eq!(status, StatusCode::OK, "{job}");
    assert_close(&job["result"], &mlp_case().1);
    let timings = &job["timings_ms"];
    let part = |name: &str| timings[name].as_f64().unwrap();
    assert!(part("queue") + part("transfer") + part("compute") <= part("total") + 0.01, "{job}");
    assert_eq!(job["latency_ms"], timings["total"]);
    insta::assert_json_snapshot!(job, {
        ".job_id" => insta::dynamic_redaction(|id, _| {
            assert!(id.as_str().unwrap().starts_with("infer_"));
            "[id]"
        }),
        ".model_id" => "[id]",
        ".result.data[]" => "[number]",
        ".latency_ms" => "[ms]",
        ".timings_ms.queue" => "[ms]",
        ".timings_ms.transfer" => "[ms]",
        ".timings_ms.compute" => "[ms]",
        ".timings_ms.total" => "[ms]",
        ".created_at" => "[time]",
        ".completed_at" => "[time]",
    }, @r#"
    {
      "attempts": 1,
      "completed_at": "[time]",
      "created_at": "[time]",
      "device_id": "dev_platform",
      "job_id": "[id]",
      "latency_ms": "[ms]",
      "model_id": "[id]",
      "model_version": 1,
      "result": {
        "data": [
          "[number]",
          "[number]"
        ],
        "shape": [
          1,
          2
        ]
      },
      "status": "completed",
      "timings_ms": {
        "compute": "[ms]",
        "queue": "[ms]",
        "total": "[ms]",
        "transfer": "[ms]"
      }
    }
    "#);
}

#[tokio::test]
async fn the_digits_are_recognised_as_recorded() {
    let platform = Platform::start();
    let model = platform.upload("digits.onnx").await;
    let recorded = fixture_json("digits.json");
    let cases = recorded["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 20);
    for case in cases {
        let (status, job) = platform.client.infer(&model, &case["input"]).await;
        assert_eq!(status, StatusCode::OK, "{job}");
        assert_close(&job["result"], &numbers(&case["output"]["data"]));
        let scores = numbers(&job["result"]["data"]);
        let best = (0..10).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
        assert_eq!(json!(best), case["digit"]);
    }
}

#[tokio::test]
async fn every_recorded_case_of_one_input() {
    let platform = Platform::start();
    for name in ["mlp", "cnn"] {
        let model = platform.upload(&format!("{name}.onnx")).await;
        for case in fixture_json(&format!("{name}.json"))["cases"].as_array().unwrap() {
            let (status, job) = platform.client.infer(&model, &case["input"]).await;
            assert_eq!(status, StatusCode::OK, "{job}");
            assert_eq!(job["result"]["shape"], case["output"]["shape"]);
            assert_close(&job["result"], &numbers(&case["output"]["data"]));
        }
    }
}

#[tokio::test]
async fn several_inputs_and_outputs_by_name() {
    let platform = Platform::start();
    let model = platform.upload("two.onnx").await;
    for case in fixture_json("two.json")["cases"].as_array().unwrap() {
        let input = json!({ "inputs": case["inputs"] });
        let (status, job) = platform.client.infer(&model, &input).await;
        assert_eq!(status, StatusCode::OK, "{job}");
        for (name, output) in case["outputs"].as_object().unwrap() {
            let result = &job["result"]["outputs"][name];
            assert_eq!(result["shape"], output["shape"]);
            assert_close(result, &numbers(&output["data"]));
        }
    }
}

#[tokio::test]
async fn one_input_may_be_named_too() {
    let platform = Platform::start();
    let model = platform.upload("mlp.onnx").await;
    let (input, output) = mlp_case();
    let (_, shown) = platform.client.get(&format!("/models/{model}")).await;
    let name = |side: &str| text(&shown[side][0]["name"]).to_owned();
    let input = json!({ "inputs": { name("inputs"): input } });
    let (status, job) = platform.client.infer(&model, &input).await;
    assert_eq!(status, StatusCode::OK, "{job}");
    // who names the inputs is answered with names
    assert_close(&job["result"]["outputs"][name("outputs")], &output);
    let (_, again) = platform.client.get(&format!("/inference/{}", text(&job["job_id"]))).await;
    assert_eq!(again["result"], job["result"]);
}

#[tokio::test]
async fn numbers_may_come_as_base64() {
    let platform = Platform::start();
    let model = platform.upload("mlp.onnx").await;
    let (input, output) = mlp_case();
    let bytes: Vec<u8> =
        numbers(&input["data"]).iter().flat_map(|value| (*value as f32).to_le_bytes()).collect();
    for dtype in [Value::Null, json!("float32")] {
        let mut input = json!({ "data_b64": STANDARD.encode(&bytes), "shape": [1, 10] });
        if !dtype.is_null() {
            input["dtype"] = dtype;
        }
        let (status, job) = platform.client.infer(&model, &input).await;
        assert_eq!(status, StatusCode::OK, "{job}");
        assert_close(&job["result"], &output);
    }
    // the same numbers give the same bits, whichever way they came
    let (_, by_numbers) = platform.client.infer(&model, &input).await;
    let by_base64 = json!({ "data_b64": STANDARD.encode(&bytes), "shape": [1, 10] });
    let (_, by_base64) = platform.client.infer(&model, &by_base64).await;
    assert_eq!(by_numbers["result"], by_base64["result"]);
}

#[tokio::test]
async fn booleans_are_booleans() {
    let platform = Platform::start();
    let (_, model) =
        upload(&platform.client, form("not.onnx", onnx::unary("Not", onnx::BOOL, 3), &[])).await;
    let input = json!({ "data": [true, false, true], "shape": [1, 3], "dtype": "bool" });
    let (status, job) = platform.client.infer(text(&model["id"]), &input).await;
    assert_eq!(status, StatusCode::OK, "{job}");
    let expected = json!({ "data": [false, true, false], "shape": [1, 3], "dtype": "bool" });
    assert_eq!(job["result"], expected);
}

#[tokio::test]
async fn what_is_no_number_is_null_and_exact_in_base64() {
    let platform = Platform::start();
    let (_, model) =
        upload(&platform.client, form("log.onnx", onnx::unary("Log", onnx::FLOAT, 3), &[])).await;
    let input = json!({ "data": [1, -1, 0], "shape": [1, 3] });
    let (status, job) = platform.client.infer(text(&model["id"]), &input).await;
    assert_eq!(status, StatusCode::OK, "{job}");
    assert_eq!(job["result"]["data"], json!([0.0, null, null]));
    let bytes = STANDARD.decode(text(&job["result"]["data_b64"])).unwrap();
    let exact: Vec<f32> =
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    assert!(exact[1].is_nan() && exact[2] == f32::NEG_INFINITY, "{exact:?}");
    assert!(text(&job["warnings"][0]).contains("`y`"), "{job}");
    assert!(text(&job["warnings"][0]).contains("first at 1"), "{job}");
}

#[tokio::test]
async fn large_results_come_whole() {
    let platform = Platform::start();
    let model = platform.upload("wide.onnx").await;
    let case = fixture_json("wide.json")["cases"][0].clone();
    let (status, job) = platform.client.infer(&model, &case["input"]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(job["result"]["shape"], case["output_shape"]);
    let data = numbers(&job["result"]["data"]);
    assert_eq!(data.len(), 16_384);
    let first = json!({ "data": data[..8] });
    assert_close(&first, &numbers(&case["first"]));
    let last = json!({ "data": data[data.len() - 8..] });
    assert_close(&last, &numbers(&case["last"]));
    let sum: f64 = data.iter().sum();
    assert!((sum - case["sum"].as_f64().unwrap()).abs() < 0.01, "{sum}");
    // it lies outside of the job's item, and is found again
    let (_, shown) = platform.client.get(&format!("/inference/{}", text(&job["job_id"]))).await;
    assert_eq!(shown, job);
}

#[tokio::test]
async fn many_rows_go_in_one_request() {
    let platform = Platform::start();
    let model = platform.upload("mlp.onnx").await;
    let (input, output) = mlp_case();
    let row = numbers(&input["data"]);
    // an input of 20 KB, larger than a job's item may hold
    let input = json!({ "data": row.repeat(500), "shape": [500, 10] });
    let (status, job) = platform.client.infer(&model, &input).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(job["result"]["shape"], json!([500, 2]));
    assert_close(&job["result"], &output.repeat(500));
}

#[tokio::test]
async fn a_device_answers_as_the_platform_does() {
    let platform = Platform::without_own_device();
    let device = platform.device("desk").await;
    let listed = platform.until_listed("desk", "idle").await;
    for model in ["mlp", "two", "cnn"] {
        let id = platform.upload(&format!("{model}.onnx")).await;
        let case = &fixture_json(&format!("{model}.json"))["cases"][0];
        let input = match case.get("inputs") {
            Some(inputs) => json!({ "inputs": inputs }),
            None => case["input"].clone(),
        };
        let (status, job) = platform.client.infer(&id, &input).await;
        assert_eq!(status, StatusCode::OK, "{job}");
        assert_eq!((&job["device_id"], &job["attempts"]), (&listed["id"], &json!(1)));
        match case.get("outputs") {
            Some(outputs) => {
                let sum = &job["result"]["outputs"]["sum"];
                assert_close(sum, &numbers(&outputs["sum"]["data"]));
            }
            None => assert_close(&job["result"], &numbers(&case["output"]["data"])),
        }
    }
    // inputs that are too large for a frame of the socket, and outputs
    let (row, output) = mlp_case();
    let rows = json!({ "data": numbers(&row["data"]).repeat(1_000), "shape": [1_000, 10] });
    let mlp = platform.upload("mlp.onnx").await;
    let (status, job) = platform.client.infer(&mlp, &rows).await;
    assert_eq!(status, StatusCode::OK, "{}", device.process.said());
    assert_close(&job["result"], &output.repeat(1_000));
    let wide = platform.upload("wide.onnx").await;
    let case = fixture_json("wide.json")["cases"][0].clone();
    let (status, job) = platform.client.infer(&wide, &case["input"]).await;
    assert_eq!(status, StatusCode::OK, "{}", device.process.said());
    let data = numbers(&job["result"]["data"]);
    assert_eq!(data.len(), 16_384);
    assert_close(&json!({ "data": data[..8] }), &numbers(&case["first"]));
}
