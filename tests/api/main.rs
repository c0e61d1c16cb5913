//! The API against its contract, through a real `dcmp up`.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod adapters;
mod admin;
mod auth;
mod batches;
mod blobs;
mod datasets;
mod dead_letters;
mod devices;
mod edges;
mod errors;
mod health;
mod hostile;
mod idempotency;
mod inference;
mod jobs;
mod models;
mod onnx;
mod openapi;
mod paging;
mod refused_inputs;
mod refused_models;
mod schema;
mod secrets;
mod tenants;
mod torchscript;
mod uploads;
mod versions;

use reqwest::{Method, StatusCode, multipart::Form};
use serde_json::Value;

use crate::support::Client;

/// Whether an answer is a refusal with this status and code, in the envelope of all errors, with a
/// sentence that has all these words.
#[track_caller]
fn assert_refused((status, body): (StatusCode, Value), expected: u16, code: &str, words: &[&str]) {
    let error = &body["error"];
    assert_eq!((status.as_u16(), &error["code"]), (expected, &Value::from(code)), "{body}");
    let message = error["message"].as_str().unwrap();
    for word in words {
        assert!(message.contains(word), "`{message}` does not say `{word}`");
    }
    assert!(error["request_id"].as_str().unwrap().starts_with("req_"), "{body}");
    if code == "VALIDATION_ERROR" {
        let detail = &error["details"][0];
        let (path, what) = (detail["path"].as_str().unwrap(), detail["message"].as_str().unwrap());
        assert_eq!(message, format!("{path}: {what}"), "{body}");
    }
}

/// A form with a model's file, and text fields.
fn form(file: &str, bytes: Vec<u8>, fields: &[(&'static str, &str)]) -> Form {
    let part = reqwest::multipart::Part::bytes(bytes).file_name(file.to_owned());
    fields
        .iter()
        .fold(Form::new(), |form, (name, value)| form.text(*name, (*value).to_owned()))
        .part("model", part)
}

/// Uploads a form.
async fn upload(client: &Client, form: Form) -> (StatusCode, Value) {
    support::answer(client.request(Method::POST, "/models").multipart(form)).await
}

/// The text of a field that must be there.
#[track_caller]
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text"))
}

/// Every file below a directory.
fn files(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
