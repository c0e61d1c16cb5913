//! What the store does for one synchronous inference: a write on the condition that the job is new,
//! an update on the condition that its fence is live, one wait for the disk. 16 tasks do so for
//! some seconds, beside consumers that fold the feed, and the result is printed:
//!
//! `cargo run --release -p dcmp-embedded --example pairs -- [seconds] [consumers] [power|process]`
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use dcmp_embedded::{Durability, Embedded, Options};
use hdrhistogram::Histogram;
use ports::{Condition, Item, Key, Ports, Write};
use serde_json::json;
use tokio::task::JoinSet;

const TASKS: usize = 16;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().map_or(5, |text| text.parse().unwrap());
    let consumers = arguments.next().map_or(1, |text| text.parse().unwrap());
    let durability: Durability = arguments.next().map_or(Durability::Power, |d| d.parse().unwrap());
    let directory = tempfile::tempdir_in(".").unwrap();
    let options = Options { durability, ..Options::default() };
    let store = Embedded::open(directory.path(), options).unwrap();
    println!("idle: {} MB", resident_mb());

    let mut folding = JoinSet::new();
    for consumer in 0..consumers {
        folding.spawn(fold(store.ports(), format!("consumer-{consumer}")));
    }
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        tasks.spawn(infer(store.ports(), end));
    }
    let mut latencies = Histogram::<u64>::new(3).unwrap();
    while let Some(done) = tasks.join_next().await {
        latencies.add(done.unwrap()).unwrap();
    }
    println!(
        "{TASKS} tasks, durability {durability}, {consumers} consumers: {} pairs/s, p50 {} µs, \
         p99 {} µs, max {} µs, {} MB",
        latencies.len() / seconds,
        latencies.value_at_quantile(0.5),
        latencies.value_at_quantile(0.99),
        latencies.max(),
        resident_mb()
    );
    folding.abort_all();
    while folding.join_next().await.is_some() {}
    store.close().await.unwrap();
}

async fn infer(ports: Ports, end: Instant) -> Histogram<u64> {
    let records = Arc::clone(&ports.records);
    let mut latencies = Histogram::new(3).unwrap();
    while Instant::now() < end {
        let start = Instant::now();
        let job = ports.clock.id("job");
        let key = Key::new(format!("JOB#{job}"), "HEAD");
        let write = Write::put(key.clone(), submitted(&job), Condition::Absent);
        records.write(write).await.unwrap();
        let update = Write::Update {
            key,
            set: done(),
            remove: vec!["fences".into()],
            condition: Condition::Fence("f_1".into()),
        };
        let token = records.write(update).await.unwrap();
        records.durable(token).await.unwrap();
        latencies.record(start.elapsed().as_micros() as u64).unwrap();
    }
    latencies
}

async fn fold(ports: Ports, consumer: String) {
    loop {
        let changes = ports.changes.read(&consumer, 1000, Duration::from_secs(1)).await.unwrap();
        if let Some(last) = changes.last() {
            ports.changes.checkpoint(&consumer, &last.place).await.unwrap();
        }
    }
}

/// About 600 bytes, as a job with its first attempt.
fn submitted(job: &str) -> Item {
    Item::encode(&json!({
        "job_id": job, "customer": "cus_019a9c0f2b7e7d5c8a40c5d145a1b2c3", "kind": "inference",
        "model": "model_019a9c0f2b7e7d5c8a40c5d145a1b2c3", "model_version": 3, "revision": 7,
        "status": "running", "created_at": 1_763_720_000_123_u64, "deadline_ms": 300_000,
        "expires_at": 4_763_720_000_u64, "input": {"dtype": "f32", "shape": [1, 10],
        "data": [0.12, 0.5, 1.25, -0.75, 0.0, 3.5, 2.25, -1.0, 0.33, 0.9]},
        "fences": {"f_1": {"device": "dev_019a9c0f2b7e7d5c8a40c5d145a1b2c3", "session": "ses_1"}},
        "attempts": 1, "body_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    }))
    .unwrap()
}

/// What `taskDone` adds.
fn done() -> Item {
    Item::encode(&json!({
        "status": "completed", "completed_at": 1_763_720_000_223_u64,
        "result": {"dtype": "f32", "shape": [1, 2], "data": [0.25, 0.75]},
        "timings_ms": {"queue": 0.1, "transfer": 0.4, "compute": 0.05, "total": 0.9},
        "usage": {"cpu_ms": 0.05, "gpu_ms": 0.0, "peak_memory_mb": 24, "bytes_in": 120, "bytes_out": 60}
    }))
    .unwrap()
}

fn resident_mb() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok()).unwrap_or(0) / 1024
}
