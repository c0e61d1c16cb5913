//! Adapters and `input_schema`, from words to words: `POST /inference` against recorded answers.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    assert_refused, form,
    support::{Client, Platform, answer, fixture, fixture_json},
    text, upload,
};

/// Uploads a fixture with these fields; its id.
async fn model(client: &Client, file: &str, fields: &[(&'static str, &str)]) -> String {
    let (status, model) = upload(client, form("model.onnx", fixture(file), fields)).await;
    assert_eq!(status, StatusCode::CREATED, "{model}");
    text(&model["id"]).to_owned()
}

/// The classifier of pictures with both adapters.
async fn pictures(client: &Client, cases: &Value) -> String {
    let fields = [
        ("labels", cases["labels"].to_string()),
        ("preprocessing", "image_classification".to_owned()),
        ("postprocessing", "top_k_labels".to_owned()),
    ];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    model(client, "adapters/pictures.onnx", &fields).await
}

async fn infer(platform: &Platform, body: Value) -> (StatusCode, Value) {
    platform.client.post("/inference", body).await
}

#[track_caller]
fn assert_predictions(result: &Value, expected: &Value) {
    let (got, expected) = (&result["predictions"], expected["predictions"].as_array().unwrap());
    assert_eq!(got.as_array().map(Vec::len), Some(expected.len()), "{result}");
    for (got, expected) in got.as_array().unwrap().iter().zip(expected) {
        let of = |prediction: &Value| (prediction["label"].clone(), prediction["index"].clone());
        assert_eq!(of(got), of(expected), "{result}");
        let (a, b) = (got["score"].as_f64().unwrap(), expected["score"].as_f64().unwrap());
        assert!((a - b).abs() < 1e-3, "{a} is not {b}");
    }
}

#[tokio::test]
async fn a_picture_comes_back_as_labels() {
    let platform = Platform::start();
    let cases = fixture_json("adapters/cases.json");
    let model = pictures(&platform.client, &cases).await;
    let answers = cases["answers"].as_array().unwrap();
    for case in answers {
        let file = text(&cases["files"][text(&case["file"])]);
        let uri = format!("data:image/any;base64,{file}");
        for image in [json!({ "image": file }), json!(uri)] {
            let (status, job) =
                infer(&platform, json!({ "model_id": model, "input": image })).await;
            assert_eq!(status, StatusCode::OK, "{job}");
            assert_predictions(&job["result"], case);
            let (_, shown) =
                platform.client.get(&format!("/inference/{}", text(&job["job_id"]))).await;
            assert_eq!(shown["result"], job["result"]);
        }
    }
    // several at a time
    let images: Vec<_> = answers.iter().map(|c| &cases["files"][text(&c["file"])]).collect();
    let (_, job) =
        infer(&platform, json!({ "model_id": model, "input": { "images": images } })).await;
    for (result, case) in job["result"].as_array().unwrap().iter().zip(answers) {
        assert_predictions(result, case);
    }
    let (_, job) = infer(&platform, json!({ "model_id": model, "input": [images[0]] })).await;
    assert_predictions(&job["result"][0], &answers[0]);
}

#[tokio::test]
async fn adapters_apply_where_the_rules_say() {
    let platform = Platform::start();
    let cases = fixture_json("adapters/cases.json");
    let model = pictures(&platform.client, &cases).await;
    let case = &cases["answers"][0];
    let picture = json!({ "image": cases["files"][text(&case["file"])] });
    let tensor = json!({ "data": vec![0.5; 192], "shape": [1, 3, 8, 8] });
    // waiting: adapters apply, so a tensor is no picture, unless `raw` says otherwise
    let refused = infer(&platform, json!({ "model_id": model, "input": tensor })).await;
    assert_refused(refused, 400, "VALIDATION_ERROR", &["input.image", "\"raw\": true"]);
    let body = json!({ "model_id": model, "input": tensor, "raw": true });
    let (_, job) = infer(&platform, body).await;
    assert_eq!(job["result"]["shape"], json!([1, 6]), "{job}");
    let body = json!({ "model_id": model, "input": picture, "raw": true });
    assert_refused(infer(&platform, body).await, 400, "VALIDATION_ERROR", &["input.data"]);
    // not waiting: words are adapted, tensors are not
    for (input, adapted) in [(&picture, true), (&tensor, false)] {
        let body = json!({ "model_id": model, "input": input, "async": true });
        let job = done(&platform, body).await;
        assert_eq!(job["result"].get("predictions").is_some(), adapted, "{job}");
    }
    let body = json!({ "model_id": model, "input": tensor, "async": true, "raw": false });
    assert_refused(infer(&platform, body).await, 400, "VALIDATION_ERROR", &["input.image"]);
}

/// Submits a job that nobody waits for, and looks until it is over.
async fn done(platform: &Platform, body: Value) -> Value {
    let (status, accepted) = infer(platform, body).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
    platform.client.until_ended(text(&accepted["job_id"])).await
}

#[tokio::test]
async fn a_picture_that_was_cut_off_is_refused() {
    let platform = Platform::start();
    let cases = fixture_json("adapters/cases.json");
    let model = pictures(&platform.client, &cases).await;
    let photo = text(&cases["files"]["photo.jpg"]);
    for length in [400, 1100, 1600] {
        let picture = json!({ "image": &photo[..length] });
        let refused = infer(&platform, json!({ "model_id": model, "input": picture })).await;
        assert_refused(refused, 400, "VALIDATION_ERROR", &["input.image", "cannot be read"]);
    }
}

#[tokio::test]
async fn a_job_keeps_the_labels_that_it_began_with() {
    let platform = Platform::start();
    let cases = fixture_json("adapters/cases.json");
    let model = pictures(&platform.client, &cases).await;
    let case = &cases["answers"][0];
    let picture = json!({ "image": cases["files"][text(&case["file"])] });
    let before =
        done(&platform, json!({ "model_id": model, "input": picture, "async": true })).await;
    let change = json!({ "labels": ["a", "b", "c", "d", "e", "f"], "postprocessing": null });
    let path = format!("/models/{model}/schema");
    let patch = platform.client.request(reqwest::Method::PATCH, &path).json(&change);
    assert_eq!(answer(patch).await.0, StatusCode::OK);
    let shown = async || {
        let path = format!("/inference/{}", text(&before["job_id"]));
        platform.client.get(&path).await.1["result"].clone()
    };
    assert_predictions(&shown().await, case);
    let (_, after) = infer(&platform, json!({ "model_id": model, "input": picture })).await;
    assert_eq!(after["result"]["shape"], json!([1, 6]), "{after}");
}

#[tokio::test]
async fn rows_are_ordered_checked_and_answered_row_by_row() {
    let platform = Platform::start();
    // declared against the alphabet: the first example of `mlp` by names
    let names = ["j", "i", "h", "g", "f", "e", "d", "c", "b", "a"];
    let properties: Vec<_> = names
        .iter()
        .map(|name| format!(r#""{name}": {{"type": "number", "minimum": 0, "maximum": 9}}"#))
        .collect();
    let schema = format!(
        r#"{{"type": "object", "properties": {{{}}}, "required": ["a", "j"]}}"#,
        properties.join(",")
    );
    let fields = [
        ("input_schema", schema.as_str()),
        ("labels", r#"["no", "yes"]"#),
        ("preprocessing", "tabular"),
        ("postprocessing", "binary_classification"),
    ];
    let model = model(&platform.client, "mlp.onnx", &fields).await;
    let (input, expected) = crate::support::mlp_case();
    let values: Vec<f64> = serde_json::from_value(input["data"].clone()).unwrap();
    let row: serde_json::Map<_, _> =
        names.iter().zip(&values).map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let (_, job) = infer(&platform, json!({ "model_id": model, "input": row })).await;
    let score = job["result"]["score"].as_f64().unwrap_or_else(|| panic!("{job}"));
    assert!((score - expected[1]).abs() < 1e-5, "{job}");
    let yes = expected[1] >= 0.5;
    assert_eq!(job["result"]["label"], if yes { "yes" } else { "no" });
    assert_eq!(job["result"]["positive"], yes);

    let (_, job) = infer(&platform, json!({ "model_id": model, "input": [row, values] })).await;
    assert_eq!(job["result"][0], job["result"][1], "{job}");
    assert_eq!(job["result"].as_array().map(Vec::len), Some(2));

    // the schema as it is shown means the same when it is sent back
    let path = format!("/models/{model}");
    let shown = platform.client.get(&path).await.1["input_schema"].clone();
    let request = platform.client.request(reqwest::Method::PATCH, &format!("{path}/schema"));
    let (status, body) = answer(request.json(&json!({ "input_schema": shown }))).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let (_, again) = infer(&platform, json!({ "model_id": model, "input": row })).await;
    assert_eq!(again["result"]["score"], score, "{again}");

    // what is wrong, all at once, with places
    let mut wrong = row.clone();
    wrong.remove("a");
    wrong["b"] = json!("three");
    wrong["c"] = json!(10);
    let body = json!({ "model_id": model, "input": { "rows": [row, wrong] } });
    let (status, body) = infer(&platform, body).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let details = body["error"]["details"].as_array().unwrap();
    let mut paths: Vec<_> = details.iter().map(|detail| text(&detail["path"])).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["input.rows[1]", "input.rows[1].b", "input.rows[1].c"], "{body}");
}

#[tokio::test]
async fn tensors_are_held_against_the_schema_of_a_model_without_adapter() {
    let platform = Platform::start();
    let schema = r#"{"properties": {"data": {"items": {"minimum": 0, "maximum": 1}}}}"#;
    let model = model(&platform.client, "mlp.onnx", &[("input_schema", schema)]).await;
    let (input, _) = crate::support::mlp_case();
    let (status, job) = infer(&platform, json!({ "model_id": model, "input": input })).await;
    assert_eq!(status, StatusCode::OK, "{job}");
    let mut large = input.clone();
    large["data"][3] = json!(7);
    for raw in [Value::Null, json!(true)] {
        let body = json!({ "model_id": model, "input": large, "raw": raw });
        assert_refused(infer(&platform, body).await, 400, "VALIDATION_ERROR", &["input.data[3]"]);
    }
}

#[tokio::test]
async fn token_ids_become_what_the_model_takes() {
    let platform = Platform::start();
    // two inputs, neither of which is known to be of ids
    let form_of = |fields: &[(&'static str, &str)]| form("m.onnx", fixture("two.onnx"), fields);
    let refused = upload(&platform.client, form_of(&[("preprocessing", "text_tokens")])).await;
    assert_refused(refused, 400, "VALIDATION_ERROR", &["preprocessing", "`a`, `b`"]);
    let bytes = crate::onnx::unary("Neg", crate::onnx::INT64, 4);
    let schema = r#"{"x-adapter": {"pad_id": 9}}"#;
    let fields = [("preprocessing", "text_tokens"), ("input_schema", schema)];
    let (_, model) = upload(&platform.client, form("neg.onnx", bytes, &fields)).await;
    for (ids, data) in [
        (json!([1, 2]), json!([-1, -2, -9, -9])),
        (json!([[1], [2, 3, 4, 5, 6]]), json!([-1, -9, -9, -9, -2, -3, -4, -5])),
    ] {
        let (_, job) = infer(&platform, json!({ "model_id": model["id"], "input": ids })).await;
        assert_eq!(job["result"]["data"], data, "{job}");
    }
}

#[tokio::test]
async fn a_version_that_the_adapters_do_not_fit_says_so() {
    let platform = Platform::start();
    let fields = [("postprocessing", "top_k_labels"), ("labels", r#"["no", "yes"]"#)];
    let model = model(&platform.client, "mlp.onnx", &fields).await;
    let path = format!("/models/{model}/versions");
    let request = platform.client.request(reqwest::Method::POST, &path);
    let digits = form("digits.onnx", fixture("digits.onnx"), &[]);
    let (status, version) = answer(request.multipart(digits)).await;
    assert_eq!(status, StatusCode::CREATED, "{version}");
    let warning = text(&version["warnings"][0]);
    for words in ["adapters do not fit", "2 labels", "10 classes", "PATCH"] {
        assert!(warning.contains(words), "{warning}");
    }
}

#[tokio::test]
async fn adapters_that_do_not_fit_the_model_are_refused_at_upload() {
    let platform = Platform::start();
    for (fields, words) in [
        (&[("preprocessing", "image_classification")][..], &["preprocessing", "[N, 10]"][..]),
        (&[("preprocessing", "tabular")], &["preprocessing", "properties"]),
        (
            &[("postprocessing", "top_k_labels"), ("labels", r#"["a"]"#)],
            &["postprocessing", "1 labels", "2 classes"],
        ),
        (
            &[("postprocessing", "top_k_labels"), ("output_schema", r#"{"x-adapter": {"k": 0}}"#)],
            &["postprocessing", "x-adapter.k"],
        ),
        (
            &[("postprocessing", "top_k_labels"), ("output_schema", r#"{"x-adapter": {"kk": 1}}"#)],
            &["postprocessing", "`kk`", "`k`"],
        ),
        (
            &[("input_schema", r#"{"unevaluatedProperties": false}"#)],
            &["input_schema", "additionalProperties"],
        ),
    ] {
        let form = form("mlp.onnx", fixture("mlp.onnx"), fields);
        let refused = upload(&platform.client, form).await;
        assert_refused(refused, 400, "VALIDATION_ERROR", words);
    }
}
