//! What the requests and messages of the events say: the one thing that a new route needs by hand.

use anyhow::{Context, Result, bail};
use api::{Route, socket::UNKNOWN};
use ports::Checksum;
use protocol::{
    socket::{
        Bye, Capabilities, DeclineReason, DeviceTimings, Hardware, Heartbeat, Hello, InstanceType,
        LogLevel, LogLine, Logs, Metrics, Payload, Share, TaskDeclined, TaskDone, TaskError,
        TaskFailed, Usage, encode,
    },
    tensor::{Named, Tensor},
};
use serde_json::{Value, json};

/// What the events name. The test that runs them puts what it has made in their place.
pub(super) mod ids {
    pub(in super::super) const KEY: &str = "dcmp_exampleExampleExampleExample0001";
    pub(in super::super) const ADMIN_KEY: &str = "dcmp_admin_exampleExampleExample0001";
    pub(in super::super) const CUSTOMER: &str = "cust_0199a0b1c2d37e4f8091a2b3c4d5e601";
    pub(in super::super) const KEY_ID: &str = "key_0199a0b1c2d37e4f8091a2b3c4d5e602";
    pub(in super::super) const MODEL: &str = "model_0199a0b1c2d37e4f8091a2b3c4d5e603";
    pub(in super::super) const UPLOADING: &str = "model_0199a0b1c2d37e4f8091a2b3c4d5e604";
    pub(in super::super) const DATASET: &str = "dataset_0199a0b1c2d37e4f8091a2b3c4d5e60a";
    pub(in super::super) const UPLOADING_DATASET: &str = "dataset_0199a0b1c2d37e4f8091a2b3c4d5e60b";
    pub(in super::super) const DEVICE: &str = "dev_0199a0b1c2d37e4f8091a2b3c4d5e605";
    pub(in super::super) const LOGS: &str = "logs_0199a0b1c2d37e4f8091a2b3c4d5e606";
    /// A device has it.
    pub(in super::super) const RUNNING: &str = "infer_0199a0b1c2d37e4f8091a2b3c4d5e607";
    /// Nobody has it.
    pub(in super::super) const QUEUED: &str = "infer_0199a0b1c2d37e4f8091a2b3c4d5e608";
    /// All of its inputs wait.
    pub(in super::super) const BATCH: &str = "batch_0199a0b1c2d37e4f8091a2b3c4d5e610";
    pub(in super::super) const FENCE: &str = "0199a0b1c2d37e4f8091a2b3c4d5e609";
    pub(in super::super) const CONNECTION: &str = "JKJaXcLvIAMCIxg=";
    pub(in super::super) const NEW_CONNECTION: &str = "JKKbYdMwJBNDJyh=";
    /// Where the file of [`MODEL`] is.
    pub(in super::super) const BLOB: &str = "models/example.onnx";
    /// Where the file of [`DATASET`] is.
    pub(in super::super) const TABLE: &str = "datasets/example.csv";
}

/// The model that comes and that runs: 10 numbers in, 2 classes out.
const FILE: &[u8] = include_bytes!("../../../fixtures/mlp.onnx");

/// The dataset that comes.
const ROWS: &[u8] = b"age,weight,label\n34,71.5,benign\n58,80,malignant\n";

/// The type of the form.
pub(super) const FORM: &str = "multipart/form-data; boundary=boundary";

/// A request's own part of an HTTP event.
#[derive(Default)]
pub(super) struct Request {
    /// What `{id}` is, when not what the path says.
    id: Option<&'static str>,
    /// The same of `{job_id}`.
    job: Option<&'static str>,
    pub(super) query: &'static str,
    pub(super) body: Body,
}

#[derive(Default)]
pub(super) enum Body {
    #[default]
    None,
    Json(Value),
    Form(Vec<u8>),
}

impl Request {
    /// What a parameter of the path is.
    pub(super) fn parameter(&self, path: &str, name: &str) -> Result<&'static str> {
        if let (Some(id), "id") = (self.id, name) {
            return Ok(id);
        }
        if let (Some(job), "job_id") = (self.job, name) {
            return Ok(job);
        }
        let area = path.strip_prefix("/admin").unwrap_or(path).split('/').nth(1);
        Ok(match (area.unwrap_or_default(), name) {
            ("models", "id") => ids::MODEL,
            ("datasets", "id") => ids::DATASET,
            ("devices", "id") => ids::DEVICE,
            ("devices", "request_id") => ids::LOGS,
            ("inference", "job_id") => ids::RUNNING,
            ("customers", "id") => ids::CUSTOMER,
            ("keys", "id") => ids::KEY_ID,
            _ => bail!("say in xtask/src/events/says.rs what `{{{name}}}` of {path} is"),
        })
    }
}

/// What a request says; only what takes a body must be here.
pub(super) fn request(route: &Route) -> Result<Request> {
    let uploading = || Request { id: Some(ids::UPLOADING), ..Request::default() };
    let uploading_dataset = || Request { id: Some(ids::UPLOADING_DATASET), ..Request::default() };
    let json = |body| Request { body: Body::Json(body), ..Request::default() };
    Ok(match route.name {
        "inference-batch" => json(json!({
            "model_id": ids::MODEL,
            "inputs": [{ "data": row(), "shape": [1, 10] }, { "data": row(), "shape": [1, 10] }],
            "name": "two rows",
        })),
        "inference-results" => Request { job: Some(ids::BATCH), ..Request::default() },
        "models-upload" => {
            let form = form("my-classifier", "model", "mlp.onnx", FILE);
            Request { body: Body::Form(form), ..Request::default() }
        }
        "datasets-upload" => {
            let form = form("patients", "file", "patients.csv", ROWS);
            Request { body: Body::Form(form), ..Request::default() }
        }
        "datasets-upload-parts" => {
            let part = json!({ "number": 1, "checksum": Checksum::of(ROWS).to_string() });
            Request { body: Body::Json(json!({ "parts": [part] })), ..uploading_dataset() }
        }
        "datasets-upload-progress" | "datasets-complete" => uploading_dataset(),
        "models-upload-version" => json(json!({
            "file_name": "mlp.onnx",
            "size": FILE.len(),
            "checksum": Checksum::of(FILE).to_string(),
        })),
        "models-upload-parts" => {
            let part = json!({ "number": 1, "checksum": Checksum::of(FILE).to_string() });
            Request { body: Body::Json(json!({ "parts": [part] })), ..uploading() }
        }
        "models-upload-progress" | "models-upload-give-up" | "models-complete" => uploading(),
        "models-update-schema" => json(json!({ "labels": ["benign", "malignant"] })),
        "inference-submit" => json(json!({
            "model_id": ids::MODEL,
            "input": { "data": row(), "shape": [1, 10] },
            "options": { "timeout": 10_000 },
        })),
        "devices-logs" => Request { query: "lines=50&level=warn&timeout=0", ..Request::default() },
        "admin-redrive" => json(json!({ "queue": "work" })),
        "admin-create-customer" => json(json!({ "name": "Example Ltd" })),
        "admin-create-key" => json(json!({ "name": "laptop", "scopes": ["infer", "models"] })),
        _ => {
            let takes_body = takes_body(route).context("a route without an operation")?;
            anyhow::ensure!(!takes_body, "say in xtask/src/events/says.rs what its body is");
            Request::default()
        }
    })
}

fn takes_body(route: &Route) -> Option<bool> {
    let api::Entry::Http(http) = &route.entry else { return None };
    let (_, described, _) = (http.describe)();
    let item = described.paths.iter().next()?.1;
    let operations = [&item.get, &item.post, &item.put, &item.patch, &item.delete];
    let operation = operations.into_iter().flatten().next()?;
    Some(operation.request_body.is_some())
}

/// The message of a device.
pub(super) fn frame(kind: &str) -> Result<String> {
    let (task_id, fence) = (ids::RUNNING.to_owned(), ids::FENCE.to_owned());
    Ok(match kind {
        "hello" => encode(&Hello {
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
                gpu: None,
            },
            capabilities: Capabilities {
                formats: vec!["onnx".to_owned()],
                inference: true,
                training: false,
                gpu: false,
                slots: 1,
                max_model_mb: 512,
                batches: true,
            },
            share: Share::Own,
            resume: None,
        }),
        "heartbeat" => encode(&Heartbeat {
            slots_free: 0,
            batches: 0,
            models: vec![Checksum::of(FILE).to_string()],
            metrics: Metrics { cpu_percent: 12.5, memory_mb: 210.0, ..Metrics::default() },
        }),
        "taskDone" => {
            let tensor = Tensor::from_f32(vec![1, 2], &[0.119_768_8, 0.880_231_1]);
            encode(&TaskDone {
                task_id,
                attempt: 1,
                fence,
                outputs: Payload::Inline(vec![Named { name: "output".to_owned(), tensor }]),
                timings_ms: DeviceTimings { fetch: 1.5, load: 2.0, queue: 0.25, compute: 0.5 },
                usage: Usage { cpu_ms: 0.5, peak_memory_mb: 20.0, ..Usage::default() },
            })
        }
        "taskFailed" => {
            let (code, message) = ("OUT_OF_MEMORY".to_owned(), "the model did not fit".to_owned());
            let error = TaskError { code, message, retryable: true };
            encode(&TaskFailed { task_id, attempt: 1, fence, error })
        }
        "taskDeclined" => {
            encode(&TaskDeclined { task_id, attempt: 1, fence, reason: DeclineReason::Busy })
        }
        "logs" => {
            let line = LogLine {
                time: "2026-01-15T09:29:58.120Z".to_owned(),
                level: LogLevel::Warn,
                message: "the battery is low".to_owned(),
            };
            let request_id = ids::LOGS.to_owned();
            encode(&Logs { request_id, lines: vec![line], part: 0, more: false })
        }
        "bye" => encode(&Bye { reason: "the user closed it".to_owned() }),
        UNKNOWN => json!({ "type": "somethingNewer" }).to_string(),
        _ => bail!("say in xtask/src/events/says.rs what a `{kind}` message says"),
    })
}

/// A message of a queue.
pub(super) fn message(queue: &str) -> Result<Value> {
    Ok(match queue {
        "work" => json!({ "job": ids::QUEUED }),
        "batches" => json!({ "batch": ids::BATCH, "tick": 0 }),
        "sessions" => json!({ "device": ids::DEVICE }),
        "uploads" => json!({ "model": ids::UPLOADING, "version": 1 }),
        _ => bail!("say in xtask/src/events/says.rs what a message of the queue `{queue}` says"),
    })
}

/// What another function asks.
pub(super) fn call(function: &str) -> Result<Value> {
    let specs = |name: &str, width: usize| json!([{ "name": name, "dtype": "float32", "shape": [null, width] }]);
    Ok(match function {
        "models-inspect" => json!({ "blob": ids::BLOB, "format": "onnx" }),
        "datasets-inspect" => json!({
            "file": ids::TABLE,
            "format": "csv",
            "data": "datasets/example/data",
            "index": "datasets/example/index",
            "content": "datasets/example/content",
        }),
        "preprocess" => json!({ "check": {
            "name": "tabular",
            "schema": {
                "type": "object",
                "properties": { "age": { "type": "number" }, "weight": { "type": "number" } },
            },
            "features": ["age", "weight"],
            "labels": null,
            "specs": specs("input", 2),
        } }),
        "postprocess" => json!({ "check": {
            "name": "binary_classification",
            "schema": null,
            "features": [],
            "labels": ["benign", "malignant"],
            "specs": specs("output", 2),
        } }),
        _ => bail!("say in xtask/src/events/says.rs what `{function}` is asked"),
    })
}

fn row() -> Vec<f64> {
    (1..=10).map(|tenths| f64::from(tenths) / 10.0).collect()
}

/// The form of an upload.
fn form(name: &str, field: &str, file_name: &str, file: &[u8]) -> Vec<u8> {
    let mut form = format!(
        "--boundary\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n{name}\r\n\
         --boundary\r\nContent-Disposition: form-data; name=\"{field}\"; \
         filename=\"{file_name}\"\r\nContent-Type: application/octet-stream\r\n\r\n",
    )
    .into_bytes();
    form.extend_from_slice(file);
    form.extend_from_slice(b"\r\n--boundary--\r\n");
    form
}
