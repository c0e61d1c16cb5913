//! What one waiting inference on a device costs: what its functions ask of the table between the
//! request and its answer, counted in the platform's own trace, with the device a process of its own.

mod trace;

#[path = "../support/mod.rs"]
mod support;

use reqwest::StatusCode;
use support::{Options, Platform, assert_close, mlp_case};
use trace::{Cost, Trace};

#[tokio::test]
async fn a_waiting_inference_on_a_device_is_within_its_budget() {
    let platform = Platform::with(Options {
        own_device: false,
        // a heartbeat belongs to no inference
        heartbeat_ms: 600_000,
        lease_ms: 600_000,
        log: Some("warn,dcmp_ports=trace,dcmp_embedded=trace"),
        ..Options::default()
    });
    let _device = platform.device("counted").await;
    let model = platform.upload("mlp.onnx").await;
    let (input, expected) = mlp_case();
    let mut trace = Trace::new(&platform);
    let mut costs = Vec::new();
    // the first call fills the caches, as in a process that has served before
    for call in 0..21 {
        trace.skip().await;
        let (status, job) = platform.client.infer(&model, &input).await;
        assert_eq!(status, StatusCode::OK, "{job}");
        assert_close(&job["result"], &expected);
        let cost = trace.cost(job["job_id"].as_str().unwrap_or_default()).await;
        if call > 0 {
            costs.push(cost);
        }
    }
    costs.sort_unstable_by_key(|cost| (cost.write_units, cost.reads));
    let median = costs[costs.len() / 2];
    assert!(median.write_units <= 4, "{median:?}");
    assert!(median.reads <= 3, "{median:?}");
    let lean = Cost { writes: 2, reads: 0, ..median };
    assert_eq!(median, lean, "two writes, no reads");
    // the caller's, and the acknowledgement's beside it, which share a round of the disk
    assert!(median.waits <= 2, "{median:?}");
}
