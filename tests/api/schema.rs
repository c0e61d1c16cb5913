//! `PATCH /models/{id}/schema`, and `ETag`.

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    assert_refused, form,
    support::{Client, Platform, answer, fixture},
    text, upload,
};

async fn patch(client: &Client, id: &str, change: Value) -> (StatusCode, Value) {
    let path = format!("/models/{id}/schema");
    answer(client.request(Method::PATCH, &path).json(&change)).await
}

#[tokio::test]
async fn only_given_fields_change_and_null_clears() {
    let platform = Platform::without_own_device();
    let fields = [("labels", r#"["zero","one"]"#), ("postprocessing", "top_k_labels")];
    let form = form("mlp.onnx", fixture("mlp.onnx"), &fields);
    let (status, mut expected) = upload(&platform.client, form).await;
    assert_eq!(status, StatusCode::CREATED, "{expected}");
    let id = text(&expected["id"]).to_owned();
    let names: Vec<_> = (0..10).map(|i| format!("x{i}")).collect();
    let ten = json!({ "type": "object", "x-adapter": { "features": names } });
    let changes = [
        json!({ "input_schema": ten, "preprocessing": "tabular" }),
        json!({ "labels": null }),
        json!({ "labels": ["nil", "one"], "postprocessing": null }),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        for (field, value) in change.as_object().unwrap() {
            expected[field] = value.clone();
        }
        expected["revision"] = json!(number + 2);
        let (status, model) = patch(&platform.client, &id, change).await;
        assert_eq!((status, &model), (StatusCode::OK, &expected));
        assert_eq!(platform.client.get(&format!("/models/{id}")).await.1, expected);
    }
    let (_, model) = patch(&platform.client, &id, json!({ "name": "n", "unknown": 3 })).await;
    assert_eq!((&model["name"], &model["revision"]), (&json!("n"), &expected["revision"]));
}

#[tokio::test]
async fn a_field_of_the_wrong_type_is_named() {
    let platform = Platform::without_own_device();
    let id = platform.upload("mlp.onnx").await;
    for (change, words) in [
        (json!({ "labels": "cat" }), &["labels: "][..]),
        (json!({ "labels": ["cat", 3] }), &["labels[1]: "]),
        (json!({ "input_schema": "object" }), &["input_schema: "]),
        (json!({ "output_schema": [] }), &["output_schema: "]),
        (json!({ "preprocessing": 3 }), &["preprocessing: "]),
        (json!({ "name": ["n"] }), &["name: "]),
        (json!({ "preprocessing": "regression" }), &["preprocessing: ", "image_classification"]),
        (json!({ "input_schema": { "minimum": "a" } }), &["input_schema: ", "/minimum"]),
    ] {
        let refused = patch(&platform.client, &id, change).await;
        assert_refused(refused, 400, "VALIDATION_ERROR", words);
    }
    assert_refused(patch(&platform.client, &id, json!([])).await, 400, "VALIDATION_ERROR", &[]);
    assert_eq!(platform.client.get(&format!("/models/{id}")).await.1["revision"], 1);
}

/// A model with its `ETag`, or 304.
async fn look(platform: &Platform, path: &str, known: Option<&str>) -> (u16, String, String) {
    let mut request = platform.client.request(Method::GET, path);
    if let Some(known) = known {
        request = request.header(header::IF_NONE_MATCH, known);
    }
    let response = request.send().await.unwrap();
    let tag = response.headers()[header::ETAG].to_str().unwrap().to_owned();
    (response.status().as_u16(), tag, response.text().await.unwrap())
}

#[tokio::test]
async fn who_knows_the_model_is_sent_nothing() {
    let platform = Platform::without_own_device();
    let id = platform.upload("mlp.onnx").await;
    let path = format!("/models/{id}");
    let (status, tag, body) = look(&platform, &path, None).await;
    assert!(status == 200 && body.contains(&id) && tag.starts_with('"'), "{tag}");
    assert_eq!(look(&platform, &path, Some(&tag)).await, (304, tag.clone(), String::new()));
    // each change is another tag: of the schema, of the name alone, of the version
    patch(&platform.client, &id, json!({ "labels": ["a"] })).await;
    let (status, second, _) = look(&platform, &path, Some(&tag)).await;
    assert_eq!(status, 200);
    patch(&platform.client, &id, json!({ "name": "other" })).await;
    let (status, third, _) = look(&platform, &path, Some(&second)).await;
    assert_eq!(status, 200);
    let both = format!("{second}, {third}");
    assert_eq!(look(&platform, &path, Some(&both)).await.0, 304);
    let versions = platform.client.request(Method::POST, &format!("{path}/versions"));
    let form = form("mlp.onnx", fixture("mlp.onnx"), &[]);
    assert_eq!(answer(versions.multipart(form)).await.0, StatusCode::CREATED);
    let (status, fourth, _) = look(&platform, &path, Some(&both)).await;
    assert_eq!(status, 200);
    let (_, first_version, _) = look(&platform, &format!("{path}@1"), None).await;
    assert_ne!(first_version, fourth);
}

#[tokio::test]
async fn a_change_of_what_has_changed_is_refused() {
    let platform = Platform::without_own_device();
    let id = platform.upload("mlp.onnx").await;
    let (_, known, _) = look(&platform, &format!("/models/{id}"), None).await;
    let change = async |known: &str, name: &str| {
        let request = platform.client.request(Method::PATCH, &format!("/models/{id}/schema"));
        let request = request.header(header::IF_MATCH, known).json(&json!({ "name": name }));
        request.send().await.unwrap()
    };
    let changed = change(&known, "mine").await;
    assert_eq!(changed.status(), StatusCode::OK);
    let now = changed.headers()[header::ETAG].to_str().unwrap().to_owned();
    let late = change(&known, "late").await;
    let late = (late.status(), late.json().await.unwrap());
    assert_refused(late, 409, "CONFLICT", &[&now, "read it again"]);
    let (_, tag, body) = look(&platform, &format!("/models/{id}"), None).await;
    assert!(tag == now && body.contains("mine"), "{body}");
    assert_eq!(change("*", "any").await.status(), StatusCode::OK);
}
