//! What an inference costs: what its functions ask of the table between the request and its end, counted
//! in the platform's own trace, with the device a process of its own. `counted.json` holds what was
//! counted; docs/cost.md is reckoned from it.

#![allow(clippy::unwrap_used, reason = "tests")]

mod trace;

#[path = "../support/mod.rs"]
mod support;

use reqwest::StatusCode;
use serde_json::json;
use support::{Options, Platform, assert_close, mlp_case};
use trace::{Cost, Trace};

fn platform(own_device: bool) -> Platform {
    Platform::with(Options {
        own_device,
        // a heartbeat belongs to no inference
        heartbeat_ms: 600_000,
        lease_ms: 600_000,
        log: Some("warn,dcmp_ports=trace,dcmp_embedded=trace"),
        ..Options::default()
    })
}

/// The median of twenty inferences, in a process that has served before.
async fn median(platform: &Platform, waits: bool) -> Cost {
    let model = platform.upload("mlp.onnx").await;
    let (input, expected) = mlp_case();
    let mut trace = Trace::new(platform);
    let mut costs = Vec::new();
    for call in 0..21 {
        trace.skip().await;
        let job = if waits {
            let (status, job) = platform.client.infer(&model, &input).await;
            assert_eq!(status, StatusCode::OK, "{job}");
            job
        } else {
            let body = json!({ "model_id": model, "input": input, "async": true });
            let (status, accepted) = platform.client.post("/inference", body).await;
            assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
            platform.client.until_ended(accepted["job_id"].as_str().unwrap_or_default()).await
        };
        assert_close(&job["result"], &expected);
        let cost = trace.cost(job["job_id"].as_str().unwrap_or_default()).await;
        // the first call fills the caches
        if call > 0 {
            costs.push(cost);
        }
    }
    costs.sort_unstable_by_key(|cost| (cost.write_units, cost.reads));
    costs[costs.len() / 2]
}

/// It is what `counted.json` says under this name.
fn assert_counted(path: &str, cost: Cost) {
    let counted: serde_json::Value = serde_json::from_str(include_str!("counted.json")).unwrap();
    let Cost { writes, write_units, reads, .. } = cost;
    let found = json!({ "writes": writes, "write_units": write_units, "reads": reads });
    assert_eq!(
        counted[path], found,
        "counted.json does not say what {path} costs; change it, then run `cargo xtask cost`"
    );
}

#[tokio::test]
async fn a_waiting_inference_on_a_device_is_within_its_budget() {
    let platform = platform(false);
    let _device = platform.device("counted").await;
    let median = median(&platform, true).await;
    assert!(median.write_units <= 4, "{median:?}");
    assert!(median.reads <= 3, "{median:?}");
    // the caller's, and the acknowledgement's beside it, which share a round of the disk
    assert!(median.waits <= 2, "{median:?}");
    assert_counted("sync_on_device", median);
}

#[tokio::test]
async fn a_waiting_inference_in_the_platform_is_one_write() {
    let median = median(&platform(true), true).await;
    assert_eq!(median.writes, 1, "{median:?}");
    assert_counted("sync_in_function", median);
}

#[tokio::test]
async fn an_accepted_inference_on_a_device_is_counted_too() {
    let platform = platform(false);
    let _device = platform.device("counted").await;
    assert_counted("async_on_device", median(&platform, false).await);
}
