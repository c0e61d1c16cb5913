//! One inference of a 10-32-2 MLP: in process, through the platform's own device, through a separate
//! device process, and beside servers that keep no record.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use protocol::tensor::{Named, Tensor};
use serde_json::{Value, json};

use super::{
    children,
    load::{self, Measured, Target},
};
use crate::build;

/// One sync inference through the whole platform, beside what others do
///
/// Peers are measured when their Python environments exist: make them with
/// `python3 -m venv target/peers/fastapi_ort && target/peers/fastapi_ort/bin/pip install -r
/// xtask/peers/fastapi_ort/requirements.txt`, and likewise for `litserve`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long each row is measured
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Rows to measure, by their first word; by default all
    #[arg(long)]
    only: Vec<String>,
    /// `power` or `process`
    #[arg(long, default_value = "power")]
    durability: String,
    /// Where the peers' Python environments are
    #[arg(long, default_value = "target/peers")]
    peers: PathBuf,
}

pub(super) const KEY: &str = "bench-api-key";

/// A row of the table.
struct Row {
    name: String,
    connections: usize,
    measured: Measured,
    memory: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let model = std::fs::read(root.join("fixtures/mlp.onnx"))?;
    let dcmp = build::dcmp()?;
    let wanted = |name: &str| {
        arguments.only.is_empty()
            || arguments.only.iter().any(|only| name.starts_with(only.as_str()))
    };
    let mut rows = Vec::new();
    if wanted("tract") {
        eprintln!("tract in process …");
        rows.push(in_process(&model, arguments.seconds)?);
    }
    for (name, flags) in [("own device", &[][..]), ("separate device", &["--no-own-device"][..])] {
        if wanted(name) {
            eprintln!("{name} …");
            rows.extend(through_platform(arguments, &dcmp, name, flags, &model)?);
        }
    }
    for (name, folder) in [("FastAPI + ONNX Runtime", "fastapi_ort"), ("LitServe", "litserve")] {
        if wanted(name) {
            eprintln!("{name} …");
            let python = root.join(&arguments.peers).join(folder).join("bin/python");
            let script = root.join("xtask/peers").join(folder).join("app.py");
            rows.extend(through_peer(arguments, name, &python, &script)?);
        }
    }
    print(&rows, arguments);
    Ok(())
}

pub(super) fn input() -> Value {
    json!({ "data": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0], "shape": [1, 10] })
}

/// A loop on one thread.
fn in_process(model: &[u8], seconds: u64) -> Result<Row> {
    let network = ::inference::Network::load(model)?;
    let values: Vec<f32> = (1..=10).map(|tenth| tenth as f32 / 10.0).collect();
    let tensor = Tensor::from_f32(vec![1, 10], &values);
    let name = network.signature().inputs[0].name.clone();
    let inputs = [Named { name, tensor }];
    for _ in 0..1000 {
        network.run(&inputs)?;
    }
    let mut latencies = Histogram::<u64>::new(3)?;
    let start = Instant::now();
    let time = Duration::from_secs(seconds);
    while start.elapsed() < time {
        // too short to be timed one by one
        let batch = Instant::now();
        for _ in 0..100 {
            std::hint::black_box(network.run(&inputs)?);
        }
        latencies.record_n((batch.elapsed().as_nanos() / 100).max(1) as u64, 100)?;
    }
    let mut measured = load::measured(&latencies, time);
    // recorded in nanoseconds
    (measured.p50_ms, measured.p99_ms) = (measured.p50_ms / 1000.0, measured.p99_ms / 1000.0);
    let name = "tract in process, one thread".to_owned();
    Ok(Row { name, connections: 1, measured, memory: "—".to_owned() })
}

fn through_platform(
    arguments: &Arguments,
    dcmp: &Path,
    name: &str,
    flags: &[&str],
    model: &[u8],
) -> Result<Vec<Row>> {
    let directory = tempfile::tempdir()?;
    let mut flags = flags.to_vec();
    flags.extend(["--durability", &arguments.durability]);
    let (platform, url) = children::platform(dcmp, &directory.path().join("platform"), &flags)?;
    let authority = url.strip_prefix("http://").context("not http")?.to_owned();
    let device = if flags.contains(&"--no-own-device") {
        Some(children::device(dcmp, &url, &directory.path().join("device"), &[])?)
    } else {
        None
    };
    let idle = platform.memory_mb();
    let id = upload(&url, model)?;
    let body = json!({ "model_id": id, "input": input() }).to_string();
    let path = "/api/v1/inference".to_owned();
    let target = Target { authority, path, key: KEY.to_owned(), body };
    until_answered(&target)?;
    let mut rows = Vec::new();
    for connections in [1, 16] {
        let measured = load::run(&target, connections, arguments.seconds)?;
        let mut memory = format!("platform {idle:.0} → {:.0} MB", platform.memory_mb());
        if let Some(device) = &device {
            memory += &format!(", device {:.0} MB", device.memory_mb());
        }
        rows.push(Row { name: name.to_owned(), connections, measured, memory });
    }
    Ok(rows)
}

fn upload(url: &str, model: &[u8]) -> Result<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // a second installation is refused and changes nothing
        let _ = rustls::crypto::ring::default_provider().install_default();
        let part = reqwest::multipart::Part::bytes(model.to_vec()).file_name("mlp.onnx");
        let answer: Value = reqwest::Client::new()
            .post(format!("{url}/api/v1/models"))
            .header("x-api-key", KEY)
            .multipart(reqwest::multipart::Form::new().part("model", part))
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        answer["id"].as_str().map(str::to_owned).context("the upload has no id")
    })
}

/// Waits until a device is there and has the model.
pub(super) fn until_answered(target: &Target) -> Result<()> {
    let mut last = None;
    for _ in 0..100 {
        match load::once(target) {
            Ok(()) => return Ok(()),
            Err(error) => last = Some(error),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Err(last.unwrap_or_else(|| anyhow::anyhow!("no answer")))
        .context("the platform does not answer")
}

fn through_peer(
    arguments: &Arguments,
    name: &str,
    python: &Path,
    script: &Path,
) -> Result<Vec<Row>> {
    let Some((process, authority)) = children::peer(python, script)? else {
        println!("{name}: not installed ({} is missing)", python.display());
        return Ok(Vec::new());
    };
    let body = json!({ "model_id": "mlp", "input": input() }).to_string();
    let path = "/inference".to_owned();
    let target = Target { authority, path, key: KEY.to_owned(), body };
    until_answered(&target)?;
    let mut rows = Vec::new();
    for connections in [1, 16] {
        let measured = load::run(&target, connections, arguments.seconds)?;
        let memory = format!("{:.0} MB", process.memory_mb());
        rows.push(Row { name: name.to_owned(), connections, measured, memory });
    }
    Ok(rows)
}

fn print(rows: &[Row], arguments: &Arguments) {
    let fastest = |name: &str, connections: usize| {
        rows.iter()
            .find(|row| row.name.starts_with(name) && row.connections == connections)
            .map(|row| row.measured.per_second)
    };
    println!(
        "\n10-32-2 MLP, {} s a row, durability {}, {} cores",
        arguments.seconds,
        arguments.durability,
        std::thread::available_parallelism().map_or(0, usize::from)
    );
    println!(
        "| {:<28} | conns | {:>11} | {:>9} | {:>9} | × FastAPI | × LitServe | memory",
        "", "requests/s", "p50 ms", "p99 ms"
    );
    for row in rows {
        let ratio = |peer: &str| {
            fastest(peer, row.connections).map_or_else(
                || "—".to_owned(),
                |other| format!("{:.2}", row.measured.per_second / other),
            )
        };
        println!(
            "| {:<28} | {:>5} | {:>11.0} | {:>9.4} | {:>9.4} | {:>9} | {:>10} | {}",
            row.name,
            row.connections,
            row.measured.per_second,
            row.measured.p50_ms,
            row.measured.p99_ms,
            ratio("FastAPI"),
            ratio("LitServe"),
            row.memory
        );
    }
}
