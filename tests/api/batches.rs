//! `POST /inference/batch` and what becomes of a batch, on the platform's own device and on others.

use reqwest::{Method, StatusCode, header::ACCEPT};
use serde_json::{Value, json};

use crate::{
    assert_refused, form,
    support::{Client, Platform, assert_close, fixture, fixture_json, mlp_case, numbers},
    text, upload,
};

/// Inputs of the first model, all different, and what ONNX Runtime gives for the first.
fn inputs(count: usize) -> (Vec<Value>, Vec<f64>) {
    let (first, expected) = mlp_case();
    let other = |index: usize| {
        let mut data = numbers(&first["data"]);
        data[0] += index as f64 / 100.0;
        json!({ "data": data, "shape": [1, 10] })
    };
    ((0..count).map(other).collect(), expected)
}

async fn submit(client: &Client, body: Value) -> String {
    let (status, accepted) = client.post("/inference/batch", body).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
    text(&accepted["job_id"]).to_owned()
}

/// All results, as lines.
async fn lines(client: &Client, id: &str) -> Vec<Value> {
    let request = client.request(Method::GET, &format!("/inference/{id}/results"));
    let response = request.header(ACCEPT, "application/x-ndjson").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let text = response.text().await.unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The second example of the API's documentation, without its project.
#[tokio::test]
async fn a_batch_is_done_and_shown() {
    let platform = Platform::start();
    let model = platform.upload("mlp.onnx").await;
    let (mut given, expected) = inputs(120);
    given[7] = json!({ "data": [1], "shape": [1, 1] });
    let body = json!({ "model_id": model, "inputs": given, "name": "first", "project_id": "proj" });
    let (status, accepted) = platform.client.post("/inference/batch", body).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
    let id = text(&accepted["job_id"]);
    let facts = [&accepted["status"], &accepted["total_tasks"], &accepted["project_id"]];
    assert_eq!(facts, [&json!("queued"), &json!(120), &json!("proj")]);
    assert_eq!(accepted["poll_url"], format!("/api/v1/inference/{id}"));
    let batch = platform.client.until_ended(id).await;
    assert_eq!((&batch["status"], &batch["name"]), (&json!("completed"), &json!("first")));
    let progress =
        json!({ "completed": 119, "failed": 1, "total": 120, "percent_complete": 100.0 });
    assert_eq!(batch["progress"], progress);
    assert_eq!(batch["results"].as_array().unwrap().len(), 50, "a page");
    assert_close(&batch["results"][0]["result"], &expected);
    // page by page, and as lines: the same
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/inference/{id}/results?limit=7{cursor}");
        let (status, page) = platform.client.get(&path).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        paged.extend(page["results"].as_array().unwrap().clone());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let lines = lines(&platform.client, id).await;
    assert_eq!(paged, lines);
    for (index, item) in lines.iter().enumerate() {
        let expected = if index == 7 { "failed" } else { "completed" };
        assert_eq!((&item["index"], &item["status"]), (&json!(index), &json!(expected)));
    }
    assert!(text(&lines[7]["error"]["message"]).contains("[N, 10]"), "{}", lines[7]);
    let (_, list) = platform.client.get("/inference/batch").await;
    assert_eq!((&list["jobs"][0]["job_id"], &list["jobs"][1]), (&json!(id), &Value::Null));
}

#[tokio::test]
async fn a_dry_run_does_nothing() {
    let platform = Platform::start();
    let model = platform.upload("mlp.onnx").await;
    let body = json!({ "model_id": model, "inputs": inputs(3).0, "dry_run": true });
    let (status, estimate) = platform.client.post("/inference/batch", body).await;
    assert_eq!(status, StatusCode::OK, "{estimate}");
    let facts = json!({
        "dry_run": true, "total_tasks": 3, "input_bytes": 120, "chunks": 1, "devices": 1,
    });
    assert_eq!(estimate, facts);
    let (_, list) = platform.client.get("/inference/batch").await;
    assert_eq!(list["jobs"], json!([]));
}

#[tokio::test]
async fn wrong_batches_are_refused() {
    let platform = Platform::without_own_device();
    let model = platform.upload("mlp.onnx").await;
    let post = |body: Value| platform.client.post("/inference/batch", body);
    let answer = post(json!({ "model_id": model, "inputs": "x" })).await;
    assert_refused(answer, 400, "VALIDATION_ERROR", &["inputs", "list"]);
    let answer = post(json!({ "inputs": [1] })).await;
    assert_refused(answer, 400, "VALIDATION_ERROR", &["model_id"]);
    let answer = post(json!({ "model_id": "model_0", "inputs": [1] })).await;
    assert_refused(answer, 404, "NO_MODEL", &["model_0"]);
    let dataset = "dataset_00000000000000000000000000000000";
    let answer = post(json!({ "model_id": model, "inputs_dataset_id": dataset })).await;
    assert_refused(answer, 404, "NOT_FOUND", &[dataset]);
    let id = submit(&platform.client, json!({ "model_id": model, "inputs": [1] })).await;
    let answer = platform.client.get(&format!("/inference/{id}/results?cursor=MTIz")).await;
    assert_refused(answer, 400, "VALIDATION_ERROR", &["cursor"]);
    let answer = platform.client.get(&format!("/inference/{id}-0")).await;
    assert_refused(answer, 404, "NOT_FOUND", &[]);
    platform.client.until_ended(&id).await;
    let answer = platform.client.delete(&format!("/inference/{id}")).await;
    assert_refused(answer, 409, "CANNOT_CANCEL", &["completed"]);
}

#[tokio::test]
async fn a_batch_waits_for_a_device_and_can_be_cancelled() {
    let platform = Platform::without_own_device();
    let model = platform.upload("mlp.onnx").await;
    let body = json!({ "model_id": model, "inputs": inputs(500).0 });
    let waits = submit(&platform.client, body.clone()).await;
    let cancelled = submit(&platform.client, body).await;
    let (status, answer) = platform.client.delete(&format!("/inference/{cancelled}")).await;
    assert_eq!((status, &answer["status"]), (StatusCode::OK, &json!("cancelled")));
    let (_, batch) = platform.client.get(&format!("/inference/{waits}")).await;
    assert!(batch["status"] == "queued" || batch["status"] == "running", "{batch}");
    let _device = platform.device("desk").await;
    let batch = platform.client.until_ended(&waits).await;
    assert_eq!(batch["progress"]["completed"], 500, "{batch}");
    let (_, batch) = platform.client.get(&format!("/inference/{cancelled}")).await;
    assert_eq!(
        (&batch["status"], &batch["progress"]["completed"]),
        (&json!("cancelled"), &json!(0))
    );
}

/// Words go through the adapters, tensors do not.
#[tokio::test]
async fn a_batch_in_words_is_answered_in_words() {
    let platform = Platform::start();
    let schema = r#"{"type": "object", "properties": {
        "a": {"type": "number"}, "b": {"type": "number"}, "c": {"type": "number"}, "d": {"type": "number"},
        "e": {"type": "number"}, "f": {"type": "number"}, "g": {"type": "number"}, "h": {"type": "number"},
        "i": {"type": "number"}, "j": {"type": "number"}}, "required": ["a"]}"#;
    let fields = [
        ("preprocessing", "tabular"),
        ("postprocessing", "top_k_labels"),
        ("input_schema", schema),
        ("labels", r#"["cat", "dog"]"#),
    ];
    let file = form("mlp.onnx", fixture("mlp.onnx"), &fields);
    let (status, model) = upload(&platform.client, file).await;
    assert_eq!(status, StatusCode::CREATED, "{model}");
    let (tensor, expected) = mlp_case();
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let row: serde_json::Map<_, _> = names
        .into_iter()
        .zip(numbers(&tensor["data"]))
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    let given = [json!(row), tensor, json!({ "b": 1 })];
    let body = json!({ "model_id": model["id"], "inputs": given });
    let id = submit(&platform.client, body).await;
    platform.client.until_ended(&id).await;
    let lines = lines(&platform.client, &id).await;
    let best = &lines[0]["result"]["predictions"][0];
    let label = if expected[0] > expected[1] { "cat" } else { "dog" };
    assert_eq!(best["label"], label, "{}", lines[0]);
    assert_close(&lines[1]["result"], &expected);
    assert_eq!(lines[2]["status"], "failed", "{}", lines[2]);
}

/// The rows of a dataset as inputs: as they are in the file.
#[tokio::test]
async fn a_dataset_is_the_inputs() {
    let platform = Platform::start();
    let model = platform.upload("mlp.onnx").await;
    let cases = fixture_json("mlp.json");
    let cases = cases["cases"].as_array().unwrap();
    let single = |case: &&Value| case["input"]["shape"] == json!([1, 10]);
    let cases: Vec<_> = cases.iter().filter(single).collect();
    let ndjson: String = cases.iter().map(|case| format!("{}\n", case["input"])).collect();
    let header = (0..10).map(|column| format!("x{column}")).collect::<Vec<_>>().join(",");
    let row = |case: &&Value| {
        let cells: Vec<_> = numbers(&case["input"]["data"]).iter().map(f64::to_string).collect();
        format!("{}\n", cells.join(","))
    };
    let csv: String = format!("{header}\n{}", cases.iter().map(row).collect::<String>());
    for (name, bytes) in [("rows.ndjson", ndjson), ("rows.csv", csv)] {
        let part = reqwest::multipart::Part::bytes(bytes.into_bytes()).file_name(name);
        let form = reqwest::multipart::Form::new().part("file", part);
        let request = platform.client.request(Method::POST, "/datasets").multipart(form);
        let (status, dataset) = crate::support::answer(request).await;
        assert_eq!(status, StatusCode::CREATED, "{dataset}");
        let body = json!({ "model_id": model, "inputs_dataset_id": dataset["id"] });
        let id = submit(&platform.client, body).await;
        platform.client.until_ended(&id).await;
        let lines = lines(&platform.client, &id).await;
        assert_eq!(lines.len(), cases.len());
        for (line, case) in lines.iter().zip(&cases) {
            assert_close(&line["result"], &numbers(&case["output"]["data"]));
        }
    }
}
