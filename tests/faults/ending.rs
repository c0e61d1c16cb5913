//! The platform is told to end: politely, twice, and with nobody left to read what it says.

use std::process::{Command, Stdio};

use reqwest::StatusCode;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::{
    loss::begin,
    support::{Client, DCMP, Platform, Process, assert_close, eventually, mlp_case},
};

const HANGUP: i32 = 1;
const INTERRUPT: i32 = 2;
const TERMINATE: i32 = 15;
const CONTINUE: i32 = 18;
const STOP: i32 = 19;

async fn until_said(process: &Process, words: &str) {
    eventually(words, || async { process.said().contains(words).then_some(()) }).await;
}

#[tokio::test]
async fn a_call_that_a_device_works_on_is_answered_before_the_platform_ends() {
    let mut platform = Platform::without_own_device();
    let device = platform.device("desk").await;
    let model = platform.upload("mlp.onnx").await;
    let (input, expected) = mlp_case();
    // the device has the model from now on
    assert_eq!(platform.client.infer(&model, &input).await.0, StatusCode::OK);
    device.process.signal(STOP);
    let call = begin(&platform, &model, &input).await;
    platform.process.signal(TERMINATE);
    until_said(&platform.process, "requests under way have").await;
    device.process.signal(CONTINUE);
    let (status, job) = call.await.unwrap();
    assert_eq!(status, StatusCode::OK, "{job}");
    assert_close(&job["result"], &expected);
    assert_eq!(platform.process.code(), Some(0), "{}", platform.process.said());
    assert!(platform.process.said().contains("everything is on disk"));
    // that the device is gone was noted before the store closed, and nothing else went wrong
    assert!(!platform.process.said().contains("ERROR"), "{}", platform.process.said());
    platform.restart();
    platform.until_listed("desk", "offline").await;
    let path = format!("/inference/{}", job["job_id"].as_str().unwrap());
    assert_eq!(platform.client.get(&path).await.1, job);
}

#[tokio::test]
async fn the_second_signal_ends_it_at_once() {
    let mut platform = Platform::without_own_device();
    let device = platform.device("desk").await;
    let model = platform.upload("mlp.onnx").await;
    device.process.signal(STOP);
    let _call = begin(&platform, &model, &mlp_case().0).await;
    platform.process.signal(INTERRUPT);
    until_said(&platform.process, "requests under way have").await;
    platform.process.signal(INTERRUPT);
    assert_eq!(platform.process.code(), Some(130), "{}", platform.process.said());
    assert!(platform.process.said().contains("ended at once"));
}

#[tokio::test]
async fn nobody_needs_to_read_what_it_says() {
    let data = tempfile::tempdir().unwrap();
    let mut platform = tokio::process::Command::new(DCMP)
        .args(["up", "--listen", "127.0.0.1:0", "--data"])
        .arg(data.path())
        .env("DCMP_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    drop(platform.stderr.take());
    let mut ready = String::new();
    BufReader::new(platform.stdout.take().unwrap()).read_line(&mut ready).await.unwrap();
    let client = Client::new(ready.trim().strip_prefix("ready ").unwrap(), "x-api-key", "none");
    assert_eq!(client.get("/health").await.0, StatusCode::OK);
    assert_eq!(client.get("/models").await.0, StatusCode::UNAUTHORIZED);
    let id = platform.id().unwrap().to_string();
    assert!(Command::new("kill").arg(id).status().unwrap().success());
    assert_eq!(platform.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_demo_whose_terminal_closes_leaves_nothing_running() {
    let mut command = Command::new(DCMP);
    let mut demo = Process::spawn(command.args(["demo", "--keep"]).stdout(Stdio::null()));
    until_said(&demo, "Ctrl-C ends it all").await;
    let children = format!("/proc/{0}/task/{0}/children", demo.id());
    let children = std::fs::read_to_string(children).unwrap();
    let children: Vec<&str> = children.split_whitespace().collect();
    assert_eq!(children.len(), 2, "a platform and a device");
    demo.signal(HANGUP);
    let code = demo.code();
    let left: Vec<_> = children
        .into_iter()
        .filter(|id| std::path::Path::new("/proc").join(id).exists())
        .inspect(|id| drop(Command::new("kill").arg(id).status()))
        .collect();
    assert!(left.is_empty(), "{left:?} still run");
    assert_eq!(code, Some(0), "{}", demo.said());
}
