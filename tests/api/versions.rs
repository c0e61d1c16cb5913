//! `/models/{id}/versions`, and versions wherever a model is named.

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    assert_refused, files, form,
    support::{Client, Platform, answer, assert_close, eventually, fixture, mlp_case},
    text, upload,
};

async fn version(client: &Client, id: &str, file: &str) -> (StatusCode, Value) {
    let form = form(file, fixture(file), &[]);
    let request = client.request(Method::POST, &format!("/models/{id}/versions"));
    answer(request.multipart(form)).await
}

/// A model whose second version takes images where the first takes ten numbers.
async fn two_versions(platform: &Platform) -> (String, Value) {
    let id = platform.upload("mlp.onnx").await;
    let (status, model) = version(&platform.client, &id, "cnn.onnx").await;
    assert_eq!(status, StatusCode::CREATED, "{model}");
    (id, model)
}

#[tokio::test]
async fn a_models_id_alone_means_its_newest_version() {
    let platform = Platform::without_own_device();
    let (id, second) = two_versions(&platform).await;
    assert_eq!((&second["id"], &second["version"]), (&json!(id), &json!(2)));
    assert_eq!((&second["name"], &second["revision"]), (&json!("mlp"), &json!(1)));
    assert_eq!(platform.client.get(&format!("/models/{id}")).await.1, second);
    let (_, list) = platform.client.get("/models").await;
    assert_eq!((&list["total"], &list["models"][0]["version"]), (&json!(1), &json!(2)));
    // that its inputs differ is allowed, and said
    let warnings = second["warnings"].as_array().unwrap();
    assert!(!warnings.is_empty(), "{second}");
    let (_, same) = version(&platform.client, &id, "cnn.onnx").await;
    assert_eq!((&same["version"], &same["warnings"]), (&json!(3), &Value::Null));

    let (_, versions) = platform.client.get(&format!("/models/{id}/versions?limit=2")).await;
    let number = |at: usize| versions["versions"][at]["version"].as_u64();
    assert_eq!((number(0), number(1), number(2)), (Some(3), Some(2), None));
    assert_eq!(versions["total"], 3);
    let cursor = text(&versions["next_cursor"]);
    let path = format!("/models/{id}/versions?limit=2&cursor={cursor}");
    let (_, rest) = platform.client.get(&path).await;
    assert_eq!(rest["next_cursor"], Value::Null);
    insta::assert_json_snapshot!(rest["versions"], {
        "[].uploaded_at" => "[time]",
        "[].profile" => "[measured]",
    }, @r#"
    [
      {
        "checksum": "sha256:0789daeab986f3142e979a53dd162b8d33e27f75c52e53d38d67c1ce8c53d53d",
        "format": "onnx",
        "inputs": [
          {
            "dtype": "float32",
            "name": "input",
            "shape": [
              null,
              10
            ]
          }
        ],
        "outputs": [
          {
            "dtype": "float32",
            "name": "output",
            "shape": [
              null,
              2
            ]
          }
        ],
        "profile": "[measured]",
        "size": 1936,
        "status": "ready",
        "uploaded_at": "[time]",
        "version": 1
      }
    ]
    "#);
}

#[tokio::test]
async fn every_version_stays_what_it_was() {
    let platform = Platform::start();
    let (id, second) = two_versions(&platform).await;
    let (input, expected) = mlp_case();
    let (status, job) = platform.client.infer(&format!("{id}@1"), &input).await;
    assert_eq!(status, StatusCode::OK, "{job}");
    assert_eq!((&job["model_id"], &job["model_version"]), (&json!(id), &json!(1)));
    assert_close(&job["result"], &expected);
    for (name, file) in [
        (format!("/models/{id}@1/download"), "mlp.onnx"),
        (format!("/models/{id}/download?version=1"), "mlp.onnx"),
        (format!("/models/{id}@2/download"), "cnn.onnx"),
        (format!("/models/{id}/download"), "cnn.onnx"),
    ] {
        let sent = platform.client.request(Method::GET, &name).send().await.unwrap();
        let url = sent.headers()[header::LOCATION].to_str().unwrap();
        let bytes = platform.client.http.get(url).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(bytes, fixture(file), "{name}");
    }
    for path in [format!("/models/{id}@1"), format!("/models/{id}?version=1")] {
        let (_, first) = platform.client.get(&path).await;
        assert_eq!((&first["version"], &first["input_shape"]), (&json!(1), &json!([null, 10])));
        assert_ne!(first["checksum"], second["checksum"]);
    }
    let refused = platform.client.infer(&format!("{id}@3"), &input).await;
    assert_refused(refused, 404, "NO_MODEL", &["no version 3", "newest is 2"]);
    let refused = platform.client.get(&format!("/models/{id}@3")).await;
    assert_refused(refused, 404, "NOT_FOUND", &["no version 3", "newest is 2"]);
    let refused = platform.client.get(&format!("/models/{id}@1?version=2")).await;
    assert_refused(refused, 400, "VALIDATION_ERROR", &["version: says 2", "path says 1"]);
}

#[tokio::test]
async fn a_device_runs_the_version_that_is_named() {
    let platform = Platform::without_own_device();
    let _device = platform.device("desk").await;
    let (id, _) = two_versions(&platform).await;
    let (input, expected) = mlp_case();
    let (status, job) = platform.client.infer(&format!("{id}@1"), &input).await;
    assert_eq!(status, StatusCode::OK, "{job}");
    assert_close(&job["result"], &expected);
}

#[tokio::test]
async fn a_form_may_say_of_which_model_it_is_a_version() {
    let platform = Platform::without_own_device();
    let id = platform.upload("mlp.onnx").await;
    let of = |fields: &[(&'static str, &str)]| form("mlp.onnx", fixture("mlp.onnx"), fields);
    let (status, model) = upload(&platform.client, of(&[("version_of", &id)])).await;
    assert_eq!(status, StatusCode::CREATED, "{model}");
    assert_eq!((&model["id"], &model["version"]), (&json!(id), &json!(2)));
    let refused = upload(&platform.client, of(&[("version_of", "model_0")])).await;
    assert_refused(refused, 404, "NO_MODEL", &["model_0"]);
    for field in ["name", "placement", "labels", "preprocessing"] {
        let value = match field {
            "labels" => "[]",
            "placement" => "own",
            _ => "passthrough",
        };
        let fields = [("version_of", id.as_str()), (field, value)];
        let refused = upload(&platform.client, of(&fields)).await;
        assert_refused(refused, 400, "VALIDATION_ERROR", &[field, "PATCH /api/v1/models"]);
    }
    let refused =
        upload(&platform.client, of(&[("version_of", &id), ("input_shape", "[3]")])).await;
    assert_refused(refused, 400, "VALIDATION_ERROR", &["input_shape", "[N, 10]"]);
    // of two names for a model, one may be wrong
    let path = format!("/models/{id}/versions");
    let request = platform.client.request(Method::POST, &path);
    let refused = answer(request.multipart(of(&[("version_of", "model_0")]))).await;
    assert_refused(refused, 400, "VALIDATION_ERROR", &["version_of", &id]);
    // nothing of what was refused stays
    let (_, versions) = platform.client.get(&path).await;
    assert_eq!(versions["total"], 2);
    assert_eq!(files(&platform.data.join("blobs")).len(), 2);
}

#[tokio::test]
async fn a_version_is_uploaded_once_for_a_key() {
    let platform = Platform::without_own_device();
    let (a, b) = (platform.upload("mlp.onnx").await, platform.upload("mlp.onnx").await);
    let upload = async |id: &str| {
        let form = form("cnn.onnx", fixture("cnn.onnx"), &[]);
        let request = platform.client.request(Method::POST, &format!("/models/{id}/versions"));
        answer(request.header("Idempotency-Key", "k").multipart(form)).await
    };
    let first = upload(&a).await;
    assert_eq!(first.0, StatusCode::CREATED);
    assert_eq!(upload(&a).await, first);
    assert_refused(upload(&b).await, 422, "IDEMPOTENCY_MISMATCH", &["different request"]);
    let (_, versions) = platform.client.get(&format!("/models/{a}/versions")).await;
    assert_eq!(versions["total"], 2);
}

#[tokio::test]
async fn versions_survive_a_crash_and_go_with_their_model() {
    let mut platform = Platform::without_own_device();
    let (id, second) = two_versions(&platform).await;
    let labels: Vec<_> = (0..10_000).map(|i| format!("class {i}")).collect();
    let change = json!({ "labels": labels });
    let path = format!("/models/{id}/schema");
    let (status, _) = answer(platform.client.request(Method::PATCH, &path).json(&change)).await;
    assert_eq!(status, StatusCode::OK);
    platform.crash_and_restart();
    let (_, shown) = platform.client.get(&format!("/models/{id}")).await;
    assert_eq!((&shown["version"], &shown["checksum"]), (&json!(2), &second["checksum"]));
    assert_eq!((&shown["revision"], &shown["labels"]), (&json!(2), &json!(labels)));
    assert_eq!(files(&platform.data.join("blobs")).len(), 3, "two files and the labels");
    platform.client.delete(&format!("/models/{id}")).await;
    eventually("the end of the model's files", || async {
        files(&platform.data.join("blobs")).is_empty().then_some(())
    })
    .await;
}
