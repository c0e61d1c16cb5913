//! The messages of the device socket, one snapshot each: what other SDKs are written against.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fmt::Debug;

use dcmp_protocol::{
    socket::*,
    tensor::{Dtype, Named, Tensor},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// The frame, laid out for reading. On the way: it decodes to the same message, also when somebody
/// newer added fields, and its `type` is found.
#[track_caller]
fn frame<T: Serialize + DeserializeOwned + PartialEq + Debug>(message: &T) -> String {
    let frame = encode(message);
    assert_eq!(serde_json::from_str::<T>(&frame).unwrap(), *message);
    let mut object: Value = serde_json::from_str(&frame).unwrap();
    assert_eq!(kind(&frame).unwrap(), object["type"].as_str().unwrap());
    let read = |object: &Value| serde_json::from_value::<T>(object.clone()).unwrap();
    object["from_the_future"] = json!({ "type": "something else" });
    assert_eq!(read(&object), *message);
    serde_json::to_string_pretty(&serde_json::from_str::<Value>(&frame).unwrap()).unwrap()
}

fn tensors() -> Vec<Named> {
    let labels =
        Tensor { dtype: Dtype::Int64, shape: vec![1], data: 7i64.to_le_bytes().to_vec().into() };
    vec![
        Named { name: "x".to_owned(), tensor: Tensor::from_f32(vec![1, 2], &[0.5, -1.0]) },
        Named { name: "label".to_owned(), tensor: labels },
    ]
}

fn blob(url: Option<&str>) -> Payload {
    let checksum = format!("sha256:{}", "0".repeat(64));
    Payload::Blob(Blob { url: url.map(str::to_owned), checksum, bytes: 65_536 })
}

fn capabilities() -> Capabilities {
    Capabilities {
        formats: vec!["onnx".to_owned()],
        inference: true,
        training: false,
        gpu: false,
        slots: 4,
        max_model_mb: 512,
        batches: false,
    }
}

fn hello() -> Hello {
    Hello {
        uuid: "sdk-rust-c5d145".to_owned(),
        sdk_type: "rust".to_owned(),
        sdk_version: "0.1.0".to_owned(),
        name: Some("desk".to_owned()),
        instance_type: InstanceType::User,
        hardware: Hardware {
            os: "linux".to_owned(),
            arch: "x86_64".to_owned(),
            cpu: "AMD EPYC".to_owned(),
            cores: 8,
            memory_mb: 16_000,
            gpu: Some(Gpu { name: "L4".to_owned(), memory_mb: 24_000 }),
        },
        capabilities: capabilities(),
        share: Share::Everyone,
        resume: Some("dev_1.token".to_owned()),
    }
}

fn task_run() -> TaskRun {
    TaskRun {
        task_id: "infer_1".to_owned(),
        attempt: 1,
        fence: "f00d".to_owned(),
        lease_ms: 15_000,
        deadline_ms: 20_000,
        model: ModelRef {
            id: "model_1".to_owned(),
            version: 1,
            format: "onnx".to_owned(),
            checksum: format!("sha256:{}", "0".repeat(64)),
            bytes: 1_500,
            url: None,
        },
        inputs: Payload::Inline(tensors()),
        stacked: None,
        outputs_url: None,
    }
}

fn task_done(outputs: Payload) -> TaskDone {
    TaskDone {
        task_id: "infer_1".to_owned(),
        attempt: 1,
        fence: "f00d".to_owned(),
        outputs,
        timings_ms: DeviceTimings { fetch: 1.5, load: 2.0, queue: 0.25, compute: 0.5 },
        usage: Usage { cpu_ms: 0.5, gpu_ms: 0.0, peak_memory_mb: 20.0, bytes_in: 40, bytes_out: 8 },
    }
}

#[test]
fn hello_says_everything() {
    insta::assert_snapshot!(frame(&hello()), @r#"
    {
      "capabilities": {
        "batches": false,
        "formats": [
          "onnx"
        ],
        "gpu": false,
        "inference": true,
        "max_model_mb": 512,
        "slots": 4,
        "training": false
      },
      "hardware": {
        "arch": "x86_64",
        "cores": 8,
        "cpu": "AMD EPYC",
        "gpu": {
          "memory_mb": 24000,
          "name": "L4"
        },
        "memory_mb": 16000,
        "os": "linux"
      },
      "instance_type": "user",
      "name": "desk",
      "resume": "dev_1.token",
      "sdk_type": "rust",
      "sdk_version": "0.1.0",
      "share": "everyone",
      "type": "hello",
      "uuid": "sdk-rust-c5d145"
    }
    "#);
}

#[test]
fn a_short_hello_is_enough() {
    let text = r#"{"type":"hello","uuid":"d","sdk_type":"python","sdk_version":"1.0.0",
        "capabilities":{"formats":["onnx"],"slots":1,"max_model_mb":64}}"#;
    let hello: Hello = serde_json::from_str(text).unwrap();
    insta::assert_snapshot!(frame(&hello), @r#"
    {
      "capabilities": {
        "batches": false,
        "formats": [
          "onnx"
        ],
        "gpu": false,
        "inference": false,
        "max_model_mb": 64,
        "slots": 1,
        "training": false
      },
      "hardware": {
        "arch": "",
        "cores": 0,
        "cpu": "",
        "memory_mb": 0,
        "os": ""
      },
      "instance_type": "user",
      "sdk_type": "python",
      "sdk_version": "1.0.0",
      "share": "own",
      "type": "hello",
      "uuid": "d"
    }
    "#);
}

#[test]
fn heartbeat() {
    let metrics = Metrics {
        cpu_percent: 12.5,
        memory_mb: 40.0,
        gpu_percent: Some(3.0),
        power_watts: Some(65.0),
    };
    let models = vec![format!("sha256:{}", "0".repeat(64))];
    insta::assert_snapshot!(frame(&Heartbeat { slots_free: 3, batches: 0, models, metrics }), @r#"
    {
      "metrics": {
        "cpu_percent": 12.5,
        "gpu_percent": 3.0,
        "memory_mb": 40.0,
        "power_watts": 65.0
      },
      "models": [
        "sha256:0000000000000000000000000000000000000000000000000000000000000000"
      ],
      "slots_free": 3,
      "type": "heartbeat"
    }
    "#);
}

#[test]
fn task_done_with_its_outputs() {
    insta::assert_snapshot!(frame(&task_done(Payload::Inline(tensors()))), @r#"
    {
      "attempt": 1,
      "fence": "f00d",
      "outputs": {
        "inline": [
          {
            "data_b64": "AAAAPwAAgL8=",
            "dtype": "float32",
            "name": "x",
            "shape": [
              1,
              2
            ]
          },
          {
            "data_b64": "BwAAAAAAAAA=",
            "dtype": "int64",
            "name": "label",
            "shape": [
              1
            ]
          }
        ]
      },
      "task_id": "infer_1",
      "timings_ms": {
        "compute": 0.5,
        "fetch": 1.5,
        "load": 2.0,
        "queue": 0.25
      },
      "type": "taskDone",
      "usage": {
        "bytes_in": 40,
        "bytes_out": 8,
        "cpu_ms": 0.5,
        "gpu_ms": 0.0,
        "peak_memory_mb": 20.0
      }
    }
    "#);
}

#[test]
fn task_done_with_its_outputs_stored() {
    insta::assert_snapshot!(frame(&task_done(blob(None))), @r#"
    {
      "attempt": 1,
      "fence": "f00d",
      "outputs": {
        "blob": {
          "bytes": 65536,
          "checksum": "sha256:0000000000000000000000000000000000000000000000000000000000000000"
        }
      },
      "task_id": "infer_1",
      "timings_ms": {
        "compute": 0.5,
        "fetch": 1.5,
        "load": 2.0,
        "queue": 0.25
      },
      "type": "taskDone",
      "usage": {
        "bytes_in": 40,
        "bytes_out": 8,
        "cpu_ms": 0.5,
        "gpu_ms": 0.0,
        "peak_memory_mb": 20.0
      }
    }
    "#);
}

#[test]
fn task_failed() {
    let error = TaskError {
        code: "MODEL_UNREADABLE".to_owned(),
        message: "the file ends early".to_owned(),
        retryable: true,
    };
    let (task_id, fence) = ("infer_1".to_owned(), "f00d".to_owned());
    insta::assert_snapshot!(frame(&TaskFailed { task_id, attempt: 2, fence, error }), @r#"
    {
      "attempt": 2,
      "error": {
        "code": "MODEL_UNREADABLE",
        "message": "the file ends early",
        "retryable": true
      },
      "fence": "f00d",
      "task_id": "infer_1",
      "type": "taskFailed"
    }
    "#);
}

#[test]
fn task_declined() {
    let message = |reason| TaskDeclined {
        task_id: "infer_1".to_owned(),
        attempt: 1,
        fence: "f00d".to_owned(),
        reason,
    };
    insta::assert_snapshot!(frame(&message(DeclineReason::Busy)), @r#"
    {
      "attempt": 1,
      "fence": "f00d",
      "reason": "busy",
      "task_id": "infer_1",
      "type": "taskDeclined"
    }
    "#);
    assert!(frame(&message(DeclineReason::Unsupported)).contains("\"unsupported\""));
    assert!(frame(&message(DeclineReason::Policy)).contains("\"policy\""));
}

#[test]
fn bye() {
    insta::assert_snapshot!(frame(&Bye { reason: "Ctrl-C".to_owned() }), @r#"
    {
      "reason": "Ctrl-C",
      "type": "bye"
    }
    "#);
    assert_eq!(serde_json::from_str::<Bye>(r#"{"type":"bye"}"#).unwrap().reason, "");
}

#[test]
fn welcome() {
    let welcome = Welcome {
        device_id: "dev_1".to_owned(),
        session_token: "dev_1.token".to_owned(),
        heartbeat_ms: 5_000,
        lease_ms: 15_000,
        server_time: "2027-01-31T12:00:00.000Z".to_owned(),
        api_url: Some("https://api.example".to_owned()),
    };
    insta::assert_snapshot!(frame(&welcome), @r#"
    {
      "api_url": "https://api.example",
      "device_id": "dev_1",
      "heartbeat_ms": 5000,
      "lease_ms": 15000,
      "server_time": "2027-01-31T12:00:00.000Z",
      "session_token": "dev_1.token",
      "type": "welcome"
    }
    "#);
}

#[test]
fn task_run_with_its_inputs() {
    insta::assert_snapshot!(frame(&task_run()), @r#"
    {
      "attempt": 1,
      "deadline_ms": 20000,
      "fence": "f00d",
      "inputs": {
        "inline": [
          {
            "data_b64": "AAAAPwAAgL8=",
            "dtype": "float32",
            "name": "x",
            "shape": [
              1,
              2
            ]
          },
          {
            "data_b64": "BwAAAAAAAAA=",
            "dtype": "int64",
            "name": "label",
            "shape": [
              1
            ]
          }
        ]
      },
      "lease_ms": 15000,
      "model": {
        "bytes": 1500,
        "checksum": "sha256:0000000000000000000000000000000000000000000000000000000000000000",
        "format": "onnx",
        "id": "model_1",
        "version": 1
      },
      "task_id": "infer_1",
      "type": "taskRun"
    }
    "#);
}

#[test]
fn task_run_by_reference() {
    let mut task = task_run();
    task.model.url =
        Some("http://localhost:3000/_blobs/models/model_1/1?expires=1&sig=00".to_owned());
    task.inputs = blob(Some("http://localhost:3000/_blobs/inputs/infer_1?expires=1&sig=00"));
    task.outputs_url =
        Some("http://localhost:3000/_blobs/outputs/infer_1/f00d?expires=1".to_owned());
    insta::assert_snapshot!(frame(&task), @r#"
    {
      "attempt": 1,
      "deadline_ms": 20000,
      "fence": "f00d",
      "inputs": {
        "blob": {
          "bytes": 65536,
          "checksum": "sha256:0000000000000000000000000000000000000000000000000000000000000000",
          "url": "http://localhost:3000/_blobs/inputs/infer_1?expires=1&sig=00"
        }
      },
      "lease_ms": 15000,
      "model": {
        "bytes": 1500,
        "checksum": "sha256:0000000000000000000000000000000000000000000000000000000000000000",
        "format": "onnx",
        "id": "model_1",
        "url": "http://localhost:3000/_blobs/models/model_1/1?expires=1&sig=00",
        "version": 1
      },
      "outputs_url": "http://localhost:3000/_blobs/outputs/infer_1/f00d?expires=1",
      "task_id": "infer_1",
      "type": "taskRun"
    }
    "#);
}

#[test]
fn task_ack() {
    let (task_id, fence) = ("infer_1".to_owned(), "f00d".to_owned());
    insta::assert_snapshot!(frame(&TaskAck { task_id, fence, accepted: true }), @r#"
    {
      "accepted": true,
      "fence": "f00d",
      "task_id": "infer_1",
      "type": "taskAck"
    }
    "#);
}

#[test]
fn task_cancel() {
    let (task_id, fence) = ("infer_1".to_owned(), "f00d".to_owned());
    let reason = "cancelled".to_owned();
    insta::assert_snapshot!(frame(&TaskCancel { task_id, fence, reason }), @r#"
    {
      "fence": "f00d",
      "reason": "cancelled",
      "task_id": "infer_1",
      "type": "taskCancel"
    }
    "#);
}

#[test]
fn logs_pull() {
    let pull = |level| LogsPull { request_id: "logs_1".to_owned(), lines: 100, level };
    insta::assert_snapshot!(frame(&pull(LogFilter::From(LogLevel::Warn))), @r#"
    {
      "level": "warn",
      "lines": 100,
      "request_id": "logs_1",
      "type": "logsPull"
    }
    "#);
    assert!(frame(&pull(LogFilter::All)).contains(r#""level": "all""#));
    for (name, filter) in [("all", LogFilter::All), ("error", LogFilter::From(LogLevel::Error))] {
        assert_eq!(LogFilter::parse(name), Some(filter));
    }
    assert_eq!(LogFilter::parse("loud"), None);
}

#[test]
fn logs() {
    let line = LogLine {
        time: "2026-01-01T00:00:00.000Z".to_owned(),
        level: LogLevel::Info,
        message: "connected".to_owned(),
    };
    let logs = Logs { request_id: "logs_1".to_owned(), lines: vec![line], part: 1, more: true };
    insta::assert_snapshot!(frame(&logs), @r#"
    {
      "lines": [
        {
          "level": "info",
          "message": "connected",
          "time": "2026-01-01T00:00:00.000Z"
        }
      ],
      "more": true,
      "part": 1,
      "request_id": "logs_1",
      "type": "logs"
    }
    "#);
    // one that knows no parts sends one message
    let plain = json!({ "type": "logs", "request_id": "logs_1", "lines": [] });
    let plain: Logs = serde_json::from_value(plain).unwrap();
    assert_eq!((plain.part, plain.more), (0, false));
}

#[test]
fn drain() {
    insta::assert_snapshot!(frame(&Drain { reason: "maintenance".to_owned() }), @r#"
    {
      "reason": "maintenance",
      "type": "drain"
    }
    "#);
}

#[test]
fn fault() {
    let (code, message) =
        ("VALIDATION_ERROR".to_owned(), "uuid: missing; it is required".to_owned());
    insta::assert_snapshot!(frame(&Fault { code, message }), @r#"
    {
      "code": "VALIDATION_ERROR",
      "message": "uuid: missing; it is required",
      "type": "error"
    }
    "#);
}

#[test]
fn frames_that_are_no_messages_have_no_kind() {
    let odd = [
        "",
        "{}",
        "[]",
        "null",
        "\"hello\"",
        "{\"type\":1}",
        "{\"type\":null}",
        "{ \"type\":\"a\"",
        "{ \"type\":\"a\"} {",
    ];
    for text in odd {
        assert_eq!(kind(text), None, "{text}");
    }
    // a frame is found whatever surrounds its type, and however it is escaped
    assert_eq!(kind(r#" {"b":[{}],"type":"hello"} "#).unwrap(), "hello");
    assert_eq!(kind(r#"{"type":"h\u0065llo"}"#).unwrap(), "hello");
    assert_eq!(kind(r#"{"type":""}"#).unwrap(), "");
    // one that begins with its type may be anything behind it
    assert_eq!(kind(r#"{"type":"hello","b":"#).unwrap(), "hello");
}

#[test]
fn tensors_in_messages_must_have_the_bytes_of_their_shape() {
    let wrong = [
        json!({"name": "x", "dtype": "float32", "shape": [2], "data_b64": "AAAAAA=="}),
        json!({"name": "x", "dtype": "float32", "shape": [1], "data_b64": "AAAA"}),
        json!({"name": "x", "dtype": "float32", "shape": [-1], "data_b64": "AAAAAA=="}),
        json!({"name": "x", "dtype": "float128", "shape": [1], "data_b64": "AAAAAA=="}),
        json!({"name": "x", "dtype": "float32", "shape": [1], "data_b64": "*"}),
        json!({"name": "x", "dtype": "float32", "shape": [u64::MAX, u64::MAX], "data_b64": ""}),
        json!({"name": "x", "dtype": "float32", "shape": [1]}),
    ];
    for tensor in wrong {
        assert!(serde_json::from_value::<Named>(tensor.clone()).is_err(), "{tensor}");
    }
}
