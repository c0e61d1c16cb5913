//! `/models`: what is accepted, and what is then shown.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    form, onnx,
    support::{Platform, fixture},
    text, upload,
};

/// A model as lists show it: without what may be large.
fn listed(model: &Value) -> Value {
    let mut listed = model.clone();
    for large in ["input_schema", "output_schema", "labels"] {
        assert!(listed.as_object_mut().unwrap().remove(large).is_some());
    }
    listed
}

#[tokio::test]
async fn an_uploaded_model_is_shown_listed_and_deleted() {
    let platform = Platform::start();
    let id = platform.upload("mlp.onnx").await;
    let (status, model) = platform.client.get(&format!("/models/{id}")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(model["name"], "mlp");
    let (_, list) = platform.client.get("/models").await;
    assert_eq!(list["total"], 1);
    assert_eq!(list["models"][0], listed(&model));
    let (status, body) = platform.client.delete(&format!("/models/{id}")).await;
    assert_eq!((status, body), (StatusCode::NO_CONTENT, Value::Null));
    let (status, error) = platform.client.get(&format!("/models/{id}")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(error["error"]["code"], "NOT_FOUND");
    let (_, list) = platform.client.get("/models").await;
    assert_eq!(list["total"], 0);
}

#[tokio::test]
async fn the_answer_to_an_upload_describes_the_model() {
    let platform = Platform::without_own_device();
    let (status, model) =
        upload(&platform.client, form("my_model.onnx", fixture("two.onnx"), &[])).await;
    assert_eq!(status, StatusCode::CREATED);
    assert!(text(&model["id"]).starts_with("model_"));
    insta::assert_json_snapshot!(model, {
        ".id" => "[id]", ".uploaded_at" => "[time]", ".profile" => "[profile]"
    }, @r#"
    {
      "checksum": "sha256:e495eabf0933fbfa489f5e51d9607aadecfefef03b84c7cc2b8746a1efc504a2",
      "format": "onnx",
      "id": "[id]",
      "input_schema": null,
      "input_shape": [
        null,
        4
      ],
      "inputs": [
        {
          "dtype": "float32",
          "name": "a",
          "shape": [
            null,
            4
          ]
        },
        {
          "dtype": "int64",
          "name": "b",
          "shape": [
            null,
            4
          ]
        }
      ],
      "labels": null,
      "name": "my_model",
      "output_schema": null,
      "output_shape": [
        null,
        4
      ],
      "outputs": [
        {
          "dtype": "float32",
          "name": "sum",
          "shape": [
            null,
            4
          ]
        },
        {
          "dtype": "float32",
          "name": "product",
          "shape": [
            null,
            4
          ]
        }
      ],
      "placement": "own",
      "postprocessing": null,
      "preprocessing": null,
      "profile": "[profile]",
      "revision": 1,
      "size": 211,
      "status": "ready",
      "uploaded_at": "[time]",
      "version": 1
    }
    "#);
    let (_, list) = platform.client.get("/models").await;
    assert_eq!(list, json!({ "models": [listed(&model)], "total": 1, "next_cursor": null }));
}

#[tokio::test]
async fn what_the_owner_says_of_a_model_is_kept() {
    let platform = Platform::without_own_device();
    let input = json!({ "type": "object", "properties": { "pixels": { "type": "array" } } });
    let fields = [
        ("name", " digits of people "),
        ("format", "onnx"),
        ("input_shape", "[null, 64]"),
        ("output_shape", "[-1, 10]"),
        ("input_schema", &input.to_string()),
        ("output_schema", r#"{"type":"object"}"#),
        ("labels", r#"["zero","one"]"#),
        ("preprocessing", "passthrough"),
        ("postprocessing", "passthrough"),
        ("placement", "platform"),
        ("from_the_future", "is ignored"),
    ];
    let (status, model) =
        upload(&platform.client, form("anything", fixture("digits.onnx"), &fields)).await;
    assert_eq!(status, StatusCode::CREATED, "{model}");
    let id = text(&model["id"]);
    let (_, shown) = platform.client.get(&format!("/models/{id}")).await;
    assert_eq!(shown, model);
    assert_eq!(model["name"], "digits of people");
    assert_eq!(model["input_shape"], json!([null, 64]));
    assert_eq!(model["output_shape"], json!([null, 10]));
    assert_eq!(model["input_schema"], input);
    assert_eq!(model["labels"], json!(["zero", "one"]));
    assert_eq!(model["placement"], "platform");
}

#[tokio::test]
async fn the_same_name_is_another_model() {
    let platform = Platform::without_own_device();
    let first = platform.upload("mlp.onnx").await;
    let second = platform.upload("mlp.onnx").await;
    assert_ne!(first, second);
    let (_, list) = platform.client.get("/models").await;
    let ids: Vec<_> = list["models"].as_array().unwrap().iter().map(|m| text(&m["id"])).collect();
    assert_eq!(ids, [second.as_str(), first.as_str()], "newest first");
}

#[tokio::test]
async fn element_types_are_read_from_the_file() {
    let platform = Platform::without_own_device();
    let (_, model) =
        upload(&platform.client, form("not.onnx", onnx::unary("Not", onnx::BOOL, 3), &[])).await;
    let spec = |name: &str| json!([{ "name": name, "dtype": "bool", "shape": [null, 3] }]);
    assert_eq!((&model["inputs"], &model["outputs"]), (&spec("x"), &spec("y")), "{model}");
}
