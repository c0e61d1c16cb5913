//! Uploads that are refused: each with a sentence that says what to change, and nothing stays.

use reqwest::{Method, multipart::Form};
use serde_json::json;

use crate::{
    assert_refused, files, form,
    support::{Platform, answer, fixture},
    upload,
};

/// That no trace of an upload is left: no model, no file.
async fn assert_nothing_stays(platform: &Platform) {
    let (_, list) = platform.client.get("/models").await;
    assert_eq!(list, json!({ "models": [], "total": 0, "next_cursor": null }));
    let blobs = files(&platform.data.join("blobs"));
    assert!(blobs.is_empty(), "{blobs:?}");
}

async fn refuse(platform: &Platform, form: Form, words: &[&str]) {
    assert_refused(upload(&platform.client, form).await, 400, "VALIDATION_ERROR", words);
}

#[tokio::test]
async fn files_that_are_no_models() {
    let platform = Platform::without_own_device();
    let file = |bytes: &[u8]| form("model.onnx", bytes.to_vec(), &[]);
    refuse(&platform, file(b""), &["model: ", "empty"]).await;
    refuse(&platform, file(b"hello, world"), &["model: ", "not an ONNX model"]).await;
    refuse(&platform, file(b"PK\x03\x04"), &["model: ", "torch.onnx.export"]).await;
    refuse(&platform, file(b"{\"model\": 1}"), &["model: ", "JSON"]).await;
    refuse(&platform, file(&fixture("unsupported.onnx")), &["Frobnicate", "frob_1"]).await;
    refuse(&platform, file(&fixture("external.onnx")), &["`w`", "weights.onnx.data"]).await;
    assert_nothing_stays(&platform).await;
}

#[tokio::test]
async fn truncated_models() {
    let platform = Platform::without_own_device();
    for name in ["mlp.onnx", "cnn.onnx", "two.onnx"] {
        let whole = fixture(name);
        let length = whole.len();
        for cut in [1, 2, 100, length / 4, length / 2, length * 3 / 4, length - 1] {
            refuse(&platform, form(name, whole[..cut].to_vec(), &[]), &["model: "]).await;
        }
    }
    assert_nothing_stays(&platform).await;
}

#[tokio::test]
async fn fifty_megabytes_of_noise() {
    let platform = Platform::without_own_device();
    let mut state = 1u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(50 << 20)
    .collect();
    refuse(&platform, form("model.onnx", noise, &[]), &["model: "]).await;
    assert_nothing_stays(&platform).await;
}

#[tokio::test]
async fn fields_that_do_not_fit() {
    let platform = Platform::without_own_device();
    let deep = format!("{}{}", r#"{"a":"#.repeat(60), "{}".to_owned() + &"}".repeat(60));
    let long_name = "x".repeat(201);
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(300_000));
    let huge = "x".repeat(5 << 20);
    let cases: [(&'static str, &str, &[&str]); 18] = [
        ("input_shape", "[1, 11]", &["[1, 11]", "[N, 10]", "leave the field out"]),
        ("input_shape", "[10]", &["[10]", "[N, 10]"]),
        ("output_shape", "[1, 3]", &["[1, 3]", "[N, 2]"]),
        ("input_shape", "1,10", &["such as [1, 10]"]),
        ("input_shape", "[-2, 10]", &["-2", "null or -1"]),
        ("format", "tflite", &["`tflite`", "onnx"]),
        ("name", " ", &["1 to 200 characters"]),
        ("name", &long_name, &["1 to 200 characters"]),
        ("labels", "cat,dog", &[r#"["cat","dog"]"#]),
        ("input_schema", "[]", &["JSON Schema object"]),
        ("output_schema", "{", &["JSON Schema object"]),
        ("input_schema", &large, &["262144 are allowed"]),
        ("input_schema", &deep, &["nested"]),
        ("input_schema", r#"{"type":"dog"}"#, &["no valid JSON Schema at /type"]),
        ("output_schema", r#"{"$ref":"http://a.example"}"#, &["a.example", "$defs"]),
        (
            "preprocessing",
            "image",
            &["`image`", "image_classification, tabular, text_tokens, passthrough"],
        ),
        (
            "postprocessing",
            "tabular",
            &["top_k_labels, binary_classification, regression, passthrough"],
        ),
        ("placement", "moon", &["`own`", "`shared`", "`platform`"]),
    ];
    for (field, value, words) in cases {
        let words = [&[field], words].concat();
        let form = form("mlp.onnx", fixture("mlp.onnx"), &[(field, value)]);
        refuse(&platform, form, &words).await;
    }
    let answer =
        upload(&platform.client, form("mlp.onnx", fixture("mlp.onnx"), &[("labels", &huge)])).await;
    assert_refused(answer, 413, "PAYLOAD_TOO_LARGE", &["`labels`", "4194304 bytes"]);
    assert_nothing_stays(&platform).await;
}

#[tokio::test]
async fn forms_with_too_many_fields() {
    let platform = Platform::without_own_device();
    let kilobyte = "x".repeat(1 << 10);
    for (count, text) in [(256, kilobyte.as_str()), (2_000, "")] {
        let fields = vec![("from_the_future", text); count];
        let sent = upload(&platform.client, form("mlp.onnx", fixture("mlp.onnx"), &fields)).await;
        assert_refused(sent, 413, "PAYLOAD_TOO_LARGE", &["`from_the_future`", "together"]);
    }
    let twice = [("labels", "[]"), ("labels", "[]")];
    let twice = form("mlp.onnx", fixture("mlp.onnx"), &twice);
    refuse(&platform, twice, &["labels: is there twice"]).await;
    let part = || reqwest::multipart::Part::bytes(fixture("mlp.onnx")).file_name("mlp.onnx");
    let files = Form::new().part("model", part()).part("model", part());
    refuse(&platform, files, &["model: is there twice"]).await;
    assert_nothing_stays(&platform).await;
}

#[tokio::test]
async fn bodies_that_are_no_upload() {
    let platform = Platform::without_own_device();
    let request = || platform.client.request(Method::POST, "/models");
    refuse(&platform, Form::new().text("name", "a"), &["model: missing", "form field"]).await;
    // JSON announces a file that comes in parts
    let sent = answer(request().json(&json!({ "model": "mlp.onnx" }))).await;
    assert_refused(sent, 400, "VALIDATION_ERROR", &["size: missing"]);
    let sent = answer(request()).await;
    assert_refused(sent, 415, "UNSUPPORTED_MEDIA_TYPE", &["multipart/form-data", "curl -F"]);
    let multipart = "multipart/form-data; boundary=b";
    for cut in ["", "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nhalf a f"] {
        let sent = answer(request().header("content-type", multipart).body(cut)).await;
        assert_refused(sent, 400, "VALIDATION_ERROR", &["multipart"]);
    }
    let part = reqwest::multipart::Part::bytes(vec![0xff, 0xfe]);
    refuse(&platform, Form::new().part("name", part), &["name: ", "UTF-8"]).await;
    assert_nothing_stays(&platform).await;
}

#[tokio::test]
async fn models_that_are_not_there() {
    let platform = Platform::without_own_device();
    let absent = ["model_0", "model_", "infer_1", "MODEL_1", "..%2f..%2fsecret", "a%00b", "x%20y"];
    let long = format!("model_{}", "a".repeat(2_000));
    for id in absent.into_iter().chain([long.as_str()]) {
        for (method, path) in [
            (Method::GET, format!("/models/{id}")),
            (Method::DELETE, format!("/models/{id}")),
            (Method::GET, format!("/models/{id}/download")),
            (Method::GET, format!("/models/{id}/versions")),
            (Method::PATCH, format!("/models/{id}/schema")),
        ] {
            let mut request = platform.client.request(method.clone(), &path);
            if method == Method::PATCH {
                request = request.json(&json!({}));
            }
            let sent = answer(request).await;
            assert_refused(sent, 404, "NOT_FOUND", &["there is no model", "GET /api/v1/models"]);
        }
    }
    let sent = answer(platform.client.request(Method::GET, "/models/%ff")).await;
    assert_refused(sent, 400, "VALIDATION_ERROR", &["path: "]);
}
