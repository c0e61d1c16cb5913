//! `dcmp jobs` of single inferences

use serde_json::json;

use crate::{
    shell::Shell,
    support::{Platform, assert_close, mlp_case},
};

#[tokio::test]
async fn a_job_is_shown_and_cancelled() {
    let platform = Platform::without_own_device();
    let shell = Shell::of(&platform);
    shell.fixture("mlp.onnx");
    shell.run(&["model", "upload", "mlp.onnx"]).ended(0);
    let (input, expected) = mlp_case();
    let infer = ["infer", "mlp", "--async", "--input", &input.to_string()];
    let accepted = shell.run(&infer).ended(0);
    assert_eq!(accepted.field("status"), "queued");
    let waiting = accepted.field("job").to_owned();
    let other = shell.json(&[&infer[..], &["--json"]].concat());
    let other = other["job_id"].as_str().unwrap();

    assert_eq!(shell.run(&["jobs", "show", &waiting]).ended(5).field("status"), "queued");
    let shown = shell.run(&["jobs", "show", &waiting, "--json"]).ended(5).json();
    assert_eq!((&shown["status"], &shown["job_id"]), (&"queued".into(), &json!(waiting)));

    let said = shell.run(&["jobs", "cancel", other]).ended(0);
    assert_eq!(said.out, "");
    said.told(&[&format!("{other} is cancelled")]);
    assert_eq!(shell.run(&["jobs", "show", other]).ended(4).field("status"), "cancelled");
    let shown = shell.run(&["jobs", "show", other, "--json"]).ended(4).json();
    assert_eq!(shown["status"], "cancelled");
    shell.run(&["jobs", "cancel", other]).refused(3, &["CANNOT_CANCEL"]);
    let third = shell.json(&[&infer[..], &["--json"]].concat());
    let third = third["job_id"].as_str().unwrap();
    let cancelled = shell.json(&["jobs", "cancel", third, "--json"]);
    assert_eq!(cancelled, json!({ "job_id": third, "status": "cancelled" }));

    let _device = platform.device("late").await;
    platform.client.until_ended(&waiting).await;
    let shown = shell.run(&["jobs", "show", &waiting]).ended(0);
    assert_eq!((shown.field("status"), shown.err.as_str()), ("completed", ""));
    assert_close(&shell.json(&["jobs", "show", &waiting, "--json"])["result"], &expected);
}

#[tokio::test]
async fn a_failed_job_is_4() {
    let platform = Platform::without_own_device();
    let shell = Shell::of(&platform);
    shell.fixture("mlp.onnx");
    shell.run(&["model", "upload", "mlp.onnx"]).ended(0);
    let input = mlp_case().0.to_string();
    let accepted = shell.json(&["infer", "mlp", "--async", "--json", "--input", &input]);
    let job = accepted["job_id"].as_str().unwrap();
    shell.run(&["model", "delete", "mlp"]).ended(0);
    let _device = platform.device("late").await;
    assert_eq!(platform.client.until_ended(job).await["status"], "failed");
    let shown = shell.run(&["jobs", "show", job]).ended(4).told(&["the job failed: "]);
    assert_eq!(shown.field("status"), "failed");
    let shown = shell.run(&["jobs", "show", job, "--json"]).ended(4).json();
    assert_eq!(shown["status"], "failed");
}

#[test]
fn an_unknown_job_is_3() {
    let platform = Platform::start();
    let shell = Shell::of(&platform);
    let job = format!("infer_{}", "0".repeat(32));
    for command in ["show", "cancel"] {
        shell.run(&["jobs", command, &job]).refused(3, &["NOT_FOUND", &job]);
        shell.run(&["jobs", command, &job, "--json"]).refused(3, &["NOT_FOUND"]);
        shell.run(&["jobs", command]).refused(2, &["<JOB>"]);
        // an id is one segment of a path, whatever is in it
        shell.run(&["jobs", command, "../models"]).refused(3, &["NOT_FOUND"]);
    }
}
