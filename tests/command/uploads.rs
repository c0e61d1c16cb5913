//! `dcmp model upload` of large files: in parts, and going on where it was interrupted.

use std::{net::TcpListener, process::Stdio};

use ports::Checksum;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    shell::Shell,
    support::{KEY, Platform, Process, heavy},
};

/// A model of three parts of the usual size.
fn model() -> Vec<u8> {
    let mut bytes = Vec::new();
    heavy::write(20 << 20, &mut bytes).unwrap();
    bytes
}

#[test]
fn a_large_model_goes_in_parts() {
    let platform = Platform::without_own_device();
    let shell = Shell::of(&platform);
    let file = model();
    shell.file("heavy.onnx", &file);
    let labels = shell.file("labels.txt", "cat\ndog");
    let labels = ["--labels", labels.to_str().unwrap(), "--input-shape", "N,8"];
    let command = [&["model", "upload", "heavy.onnx"], &labels[..]].concat();
    let uploaded = shell.run(&command).ended(0);
    assert_eq!((uploaded.field("name"), uploaded.field("status")), ("heavy", "ready"));
    assert_eq!(uploaded.field("checksum"), Checksum::of(&file).to_string());
    assert_eq!(uploaded.field("input"), "x: float32 [N, 8]");
    // the same again is another model
    let again = shell.json(&[&command[..], &["--name", "other", "--json"]].concat());
    assert_eq!((&again["name"], &again["labels"]), (&json!("other"), &json!(["cat", "dog"])));
    shell.fixture("mlp.onnx");
    let small = shell.json(&["model", "upload", "mlp.onnx", "--parts", "--json"]);
    assert_eq!((&small["name"], &small["status"]), (&json!("mlp"), &json!("ready")));
    let refused = ["model", "upload", "mlp.onnx", "--parts", "--placement", "moon"];
    shell.run(&refused).refused(3, &["placement"]);
}

#[test]
fn a_rejected_model_is_3_with_the_reason() {
    let platform = Platform::without_own_device();
    let shell = Shell::of(&platform);
    shell.file("noise.onnx", vec![0xff; 5 << 20]);
    let words = ["the model was rejected", "not an ONNX model"];
    shell.run(&["model", "upload", "noise.onnx"]).refused(3, &words);
}

#[tokio::test]
async fn what_is_there_is_not_sent_again() {
    const PART: usize = 8 << 20;
    let platform = Platform::without_own_device();
    let file = model();
    let checksum = Checksum::of(&file).to_string();
    let body = json!({ "name": "heavy", "size": file.len(), "checksum": checksum });
    let (_, begun) = platform.client.post("/models", body).await;
    let id = begun["id"].as_str().unwrap();
    let first = &file[..PART];
    let wanted = json!({ "parts": [{ "number": 1, "checksum": Checksum::of(first).to_string() }] });
    let (_, signed) = platform.client.post(&format!("/models/{id}/upload/parts"), wanted).await;
    let url = signed["parts"][0]["url"].as_str().unwrap();
    let sent = platform.client.http.put(url).body(first.to_vec()).send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::OK);

    let shell = Shell::of(&platform);
    shell.file("heavy.onnx", &file);
    // of another name it is another model
    let other = shell.run(&["model", "upload", "heavy.onnx", "--name", "other"]).ended(0);
    assert_ne!(other.field("id"), id);
    let resumed = shell.run(&["model", "upload", "heavy.onnx"]).ended(0);
    assert_eq!((resumed.field("id"), resumed.field("status")), (id, "ready"));
    resumed.told(&["going on with an upload of heavy.onnx: 1 of 3 parts are there"]);
    let (_, list) = platform.client.get("/models").await;
    assert_eq!(list["total"], Value::from(2));
}

#[test]
fn whoever_interrupts_it_is_told_how_to_go_on() {
    // a platform that never answers
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let shell = Shell::new().with("DCMP_URL", &url).with("DCMP_API_KEY", KEY);
    shell.fixture("mlp.onnx");
    let mut command = shell.command(&["model", "upload", "mlp.onnx", "--parts"]);
    let mut upload = Process::spawn(command.stdout(Stdio::null()));
    let _connection = silent.accept().unwrap();
    upload.signal(2);
    assert_eq!(upload.code(), Some(130));
    // what it said is read beside it
    while !upload.said().contains("run the same command again") {
        std::thread::yield_now();
    }
}
