//! `/devices`: what owners see of their devices, and others of shared ones.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    assert_refused,
    support::{Platform, eventually, mlp_case},
    text,
};

#[tokio::test]
async fn a_device_is_shown_to_its_owner() {
    let platform = Platform::without_own_device();
    let _device = platform.device_with("desk", &["--slots", "2"]).await;
    let listed = platform.until_listed("desk", "idle").await;
    let (status, device) = platform.client.get(&format!("/devices/{}", text(&listed["id"]))).await;
    assert_eq!((status, &device), (StatusCode::OK, &listed));
    assert!(text(&device["id"]).starts_with("dev_"));
    insta::assert_json_snapshot!(device, {
        ".id" => "[id]",
        ".uuid" => "[uuid]",
        ".sdk_version" => "[version]",
        ".platform" => "[os/arch]",
        ".hardware.os" => "[os]",
        ".hardware.arch" => "[arch]",
        ".hardware.cpu" => "[cpu]",
        ".hardware.cores" => "[cores]",
        ".hardware.memory_mb" => "[mb]",
        ".capabilities.max_model_mb" => "[mb]",
        ".connected_at" => "[time]",
        ".last_seen_at" => "[time]",
    }, @r#"
    {
      "capabilities": {
        "batches": true,
        "formats": [
          "onnx"
        ],
        "gpu": false,
        "inference": true,
        "max_model_mb": "[mb]",
        "slots": 2,
        "training": false
      },
      "connected_at": "[time]",
      "current_tasks": 0,
      "hardware": {
        "arch": "[arch]",
        "cores": "[cores]",
        "cpu": "[cpu]",
        "memory_mb": "[mb]",
        "os": "[os]"
      },
      "id": "[id]",
      "instance_type": "user",
      "last_seen_at": "[time]",
      "metrics": {
        "avg_latency_ms": 0.0,
        "cpu_ms": 0,
        "gpu_ms": 0,
        "tasks_completed": 0,
        "tasks_failed": 0
      },
      "name": "desk",
      "owned": true,
      "platform": "[os/arch]",
      "sdk_type": "rust",
      "sdk_version": "[version]",
      "share": "own",
      "status": "idle",
      "uuid": "[uuid]"
    }
    "#);
}

#[tokio::test]
async fn sums_over_devices() {
    let platform = Platform::without_own_device();
    let (_, stats) = platform.client.get("/devices/stats").await;
    assert_eq!((&stats["total"], &stats["slots"]), (&json!(0), &json!(0)));
    let _one = platform.device_with("one", &["--slots", "2"]).await;
    let mut two = platform.device_with("two", &["--slots", "3"]).await;
    let model = platform.upload("mlp.onnx").await;
    for _ in 0..3 {
        assert_eq!(platform.client.infer(&model, &mlp_case().0).await.0, StatusCode::OK);
    }
    two.process.end();
    platform.until_listed("two", "offline").await;
    let stats = eventually("three counted tasks", || async {
        let (_, stats) = platform.client.get("/devices/stats").await;
        (stats["tasks_completed"] == 3 && stats["slots_free"] == 2).then_some(stats)
    });
    let stats: Value = stats.await;
    insta::assert_json_snapshot!(stats, @r#"
    {
      "by_instance_type": {
        "user": 2
      },
      "by_sdk_type": {
        "rust": 2
      },
      "by_status": {
        "idle": 1,
        "offline": 1
      },
      "slots": 2,
      "slots_free": 2,
      "tasks_completed": 3,
      "tasks_failed": 0,
      "total": 2
    }
    "#);
}

#[tokio::test]
async fn others_see_shared_devices_without_what_is_their_owners() {
    let platform = Platform::without_own_device();
    let _own = platform.device("mine alone").await;
    let _shared = platform.device_with("shared", &["--share", "everyone"]).await;
    let shared = platform.until_listed("shared", "idle").await;
    let own = platform.until_listed("mine alone", "idle").await;
    let stranger = platform.stranger().await;
    let (_, list) = stranger.get("/devices").await;
    assert_eq!((&list["total"], list["devices"].as_array().unwrap().len()), (&json!(1), 1));
    let seen = &list["devices"][0];
    assert_eq!((&seen["id"], &seen["owned"]), (&shared["id"], &json!(false)));
    for private in ["name", "uuid", "hardware", "metrics"] {
        assert_eq!(seen[private], Value::Null, "{private}");
        assert_ne!(shared[private], Value::Null, "{private}");
    }
    let (status, shown) = stranger.get(&format!("/devices/{}", text(&shared["id"]))).await;
    assert_eq!((status, &shown), (StatusCode::OK, seen));
    let hidden = stranger.get(&format!("/devices/{}", text(&own["id"]))).await;
    assert_refused(hidden, 404, "NOT_FOUND", &["GET /api/v1/devices"]);
    let (_, stats) = stranger.get("/devices/stats").await;
    assert_eq!((&stats["total"], &stats["tasks_completed"]), (&json!(1), &json!(0)));
    // each once for the owner, though one of them is in two lists
    let (_, list) = platform.client.get("/devices").await;
    assert_eq!((&list["total"], list["devices"].as_array().unwrap().len()), (&json!(2), 2));
}

#[tokio::test]
async fn devices_by_state() {
    let platform = Platform::without_own_device();
    let _one = platform.device("one").await;
    let mut two = platform.device("two").await;
    two.process.end();
    platform.until_listed("two", "offline").await;
    for (status, expected) in
        [("idle", json!(["one"])), ("offline", json!(["two"])), ("busy", json!([]))]
    {
        let (_, list) = platform.client.get(&format!("/devices?status={status}")).await;
        let names: Vec<_> =
            list["devices"].as_array().unwrap().iter().map(|d| &d["name"]).collect();
        assert_eq!(json!(names), expected, "{status}");
    }
    let refused = platform.client.get("/devices?status=asleep").await;
    assert_refused(refused, 400, "VALIDATION_ERROR", &["status: ", "`idle`", "`offline`"]);
}

#[tokio::test]
async fn devices_that_are_not_there() {
    let platform = Platform::without_own_device();
    for id in ["dev_0", "dev_", "platform", "statistics", "a%2fb", &"d".repeat(2_000)] {
        let refused = platform.client.get(&format!("/devices/{id}")).await;
        assert_refused(refused, 404, "NOT_FOUND", &["there is no device"]);
    }
}

#[tokio::test]
async fn an_owner_reads_a_devices_log() {
    let platform = Platform::without_own_device();
    let device = platform.device("desk").await;
    let listed = platform.until_listed("desk", "idle").await;
    let id = text(&listed["id"]);
    let logs = format!("/devices/{id}/logs");
    let (status, answer) = platform.client.get(&logs).await;
    assert_eq!((status, &answer["status"]), (StatusCode::OK, &json!("complete")), "{answer}");
    assert_eq!(answer["device_id"], json!(id));
    let first = answer["logs"][0].clone();
    assert_eq!((&first["level"], text(&first["time"]).len()), (&json!("info"), 24));
    assert_eq!(first["message"], json!(format!("connected as {id}")));
    // it is there for an hour
    let later = platform.client.get(&format!("{logs}/{}", text(&answer["request_id"]))).await;
    assert_eq!(later, (StatusCode::OK, answer));
    let (_, none) = platform.client.get(&format!("{logs}?level=error&lines=5&timeout=30000")).await;
    assert_eq!(none["logs"], json!([]));

    // one that does not answer in time, and then does
    device.process.signal(19);
    let (status, pending) = platform.client.get(&format!("{logs}?timeout=20")).await;
    assert_eq!(
        (status, &pending["status"]),
        (StatusCode::ACCEPTED, &json!("pending")),
        "{pending}"
    );
    let poll = text(&pending["poll_url"]).strip_prefix("/api/v1").unwrap();
    assert_eq!(platform.client.get(poll).await, (StatusCode::ACCEPTED, pending.clone()));
    device.process.signal(18);
    let complete = eventually("its answer", || async {
        let (status, answer) = platform.client.get(poll).await;
        (status == StatusCode::OK).then_some(answer)
    });
    assert_eq!(complete.await["logs"][0], first);

    for (query, words) in [
        ("lines=0", &["lines: ", "1 to 1000"][..]),
        ("lines=many", &["query: ", "lines"]),
        ("level=loud", &["level: ", "`warn`"]),
        ("timeout=-1", &["query: ", "timeout"]),
    ] {
        let refused = platform.client.get(&format!("{logs}?{query}")).await;
        assert_refused(refused, 400, "VALIDATION_ERROR", words);
    }
    let refused = platform.client.get(&format!("{logs}/logs_1")).await;
    assert_refused(refused, 404, "NOT_FOUND", &["logs_1", "asks again"]);
    drop(device);
    platform.until_listed("desk", "offline").await;
    assert_refused(platform.client.get(&logs).await, 409, "CONFLICT", &["offline"]);
}

#[tokio::test]
async fn a_drained_device_leaves() {
    let platform = Platform::without_own_device();
    let mut device = platform.device("desk").await;
    let listed = platform.until_listed("desk", "idle").await;
    let path = format!("/devices/{}/drain", text(&listed["id"]));
    let (status, drained) = platform.client.post(&path, json!(null)).await;
    assert_eq!((status, &drained["id"]), (StatusCode::OK, &listed["id"]), "{drained}");
    assert!(["draining", "offline"].contains(&text(&drained["status"])), "{drained}");
    assert_eq!(device.process.code(), Some(0), "{}", device.process.said());
    assert!(device.process.said().contains("drained by its owner"), "{}", device.process.said());
    platform.until_listed("desk", "offline").await;
    let (status, drained) = platform.client.post(&path, json!(null)).await;
    assert_eq!((status, &drained["status"]), (StatusCode::OK, &json!("offline")));
}

#[tokio::test]
async fn a_shared_device_obeys_its_owner_alone() {
    let platform = Platform::start();
    let _shared = platform.device_with("shared", &["--share", "everyone"]).await;
    let shared = platform.until_listed("shared", "idle").await;
    let path = format!("/devices/{}", text(&shared["id"]));
    let (_, answer) = platform.client.get(&format!("{path}/logs")).await;
    let stranger = platform.stranger().await;
    assert_eq!(stranger.get(&path).await.0, StatusCode::OK);
    let answered = format!("{path}/logs/{}", text(&answer["request_id"]));
    for refused in [
        stranger.get(&format!("{path}/logs")).await,
        stranger.get(&answered).await,
        stranger.post(&format!("{path}/drain"), json!(null)).await,
    ] {
        assert_refused(refused, 403, "FORBIDDEN", &["only its owner"]);
    }
    let own = |action| format!("/devices/dev_platform/{action}");
    assert_refused(platform.client.get(&own("logs")).await, 409, "CONFLICT", &["operator"]);
    let drain = platform.client.post(&own("drain"), json!(null)).await;
    assert_refused(drain, 409, "CONFLICT", &["operator", "`placement`"]);
    platform.until_listed("shared", "idle").await;
}
