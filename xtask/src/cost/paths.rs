//! What is reckoned: a million inferences of each kind, an idle device, and a deployment that sleeps.
//! What the table is asked is counted by `tests/cost`; memory, timers and queues are the functions' own
//! declarations; the rest is assumed, and said on the page.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use api::{Entry, Route};
use serde::Deserialize;

use super::usage::Usage;
use crate::template;

/// What `tests/cost` counted, and holds to be so.
const COUNTED: &str = include_str!("../../../tests/cost/counted.json");

/// From the request to the table, to a device and back, in milliseconds.
pub(super) const WRITE_MS: f64 = 5.0;
pub(super) const READ_MS: f64 = 3.0;
pub(super) const SEND_MS: f64 = 10.0;
pub(super) const DEVICE_MS: f64 = 45.0;
/// What a function does besides, and what a small model takes.
pub(super) const HANDLE_MS: f64 = 2.0;
pub(super) const COMPUTE_MS: f64 = 2.0;

/// How often a waiting function looks for its result, at the median: the promise of the watch.
pub(super) const LOOKS: f64 = 2.0;

/// Log lines of one run: Lambda's own three, and one of metrics, in bytes.
pub(super) const LOG_BYTES: f64 = 800.0;

/// A month, in minutes.
const MONTH: f64 = 365.25 / 12.0 * 24.0 * 60.0;

/// An idle device speaks every 8 minutes, and connects anew after 60 to 115.
const BEAT_MINUTES: f64 = 8.0;
const CONNECTION_MINUTES: f64 = 87.5;
/// The platform looks for a silent device this often.
const LOOK_MINUTES: f64 = 10.0;

/// Lambda asks each queue with five connections, each waiting 20 s.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html>
const POLLS_PER_MINUTE: f64 = 5.0 * 3.0;

/// Metrics of our own that an area writes: count, errors, latency, cold starts.
const METRICS_PER_AREA: f64 = 4.0;

/// Pages of open jobs that the sweep reads, and what it reads of uploads.
const SWEEP_READS: f64 = 8.0;

/// What one inference asked of the table.
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Counted {
    writes: f64,
    write_units: f64,
    reads: f64,
}

/// Something that costs.
pub(super) struct Path {
    /// What it is.
    pub(super) name: &'static str,
    /// What it uses.
    pub(super) usage: Usage,
    /// What it may cost, in US dollars.
    pub(super) target: Option<f64>,
}

/// Each kind of inference, a million times.
pub(super) fn inferences(routes: &[Route]) -> Result<Vec<Path>> {
    let million = |usage: Usage| usage * 1e6;
    let ms = |counted: Counted| counted.writes * WRITE_MS + counted.reads * READ_MS;
    let table = |counted: Counted| Usage {
        writes: counted.write_units,
        reads: counted.reads,
        ..Usage::default()
    };
    let http = Usage { requests: 1.0, ..Usage::default() };
    // the task, its result, the acknowledgement
    let socket = Usage { messages: 3.0, ..Usage::default() };

    let on_device = counted("sync_on_device")?;
    let waiting = HANDLE_MS + SEND_MS + DEVICE_MS + WRITE_MS + LOOKS * READ_MS;
    let done = run(routes, "socket-task-done", HANDLE_MS + SEND_MS + WRITE_MS)?;
    let looks = Usage { reads: LOOKS, ..Usage::default() };
    let sync = http + socket + table(on_device) + looks + done;
    let sync = sync + run(routes, "inference-submit", waiting)?;

    let inside = counted("sync_in_function")?;
    let alone = http
        + table(inside)
        + run(routes, "inference-submit", HANDLE_MS + COMPUTE_MS + ms(inside))?;

    let later = counted("async_on_device")?;
    // sent, received, deleted
    let queue = Usage { queue: 3.0, ..Usage::default() };
    let accepted = http
        + socket
        + queue
        + table(later)
        + done
        + run(routes, "inference-submit", HANDLE_MS + WRITE_MS + SEND_MS)?
        + run(routes, "queue-work", HANDLE_MS + SEND_MS + WRITE_MS)?;

    let poll = Usage { requests: 1.0, reads: 1.0, ..Usage::default() }
        + run(routes, "inference-show", HANDLE_MS + READ_MS)?;
    // statistics and totals, each read and written
    let fold = Usage { writes: 2.0, reads: 2.0, ..Usage::default() }
        + run(routes, "feed-fold", HANDLE_MS + 2.0 * (READ_MS + WRITE_MS))?;

    let path = |name, usage, target| Path { name, usage: million(usage), target };
    Ok(vec![
        path("waiting, on a device", sync, Some(6.7)),
        path("waiting, in the function itself", alone, Some(2.5)),
        path("accepted, on a device", accepted, Some(7.0)),
        path("each poll for an accepted one", poll, None),
        path("folding, when they come one by one", fold, None),
    ])
}

/// An idle device, and a deployment that nobody uses, for a month.
pub(super) fn months(routes: &[Route]) -> Result<Vec<Path>> {
    let connected = Usage { minutes: MONTH, ..Usage::default() };
    // the device's own item and whether work waits
    let beat = Usage { messages: 1.0, reads: 3.0, ..Usage::default() }
        + run(routes, "socket-heartbeat", HANDLE_MS + 2.0 * READ_MS)?;
    let look = Usage { queue: 3.0, reads: 1.0, ..Usage::default() }
        + run(routes, "queue-sessions", HANDLE_MS + READ_MS + SEND_MS)?;
    // connection, device, pointer, page of the fleet; a key, a device and work that waits are read
    let anew = Usage { messages: 2.0, writes: 6.0, reads: 6.0, queue: 1.0, ..Usage::default() }
        + run(routes, "socket-connect", HANDLE_MS + READ_MS + WRITE_MS)?
        + run(routes, "socket-hello", HANDLE_MS + SEND_MS + 3.0 * (READ_MS + WRITE_MS))?
        + run(routes, "socket-disconnect", HANDLE_MS + READ_MS + WRITE_MS)?
        + run(routes, "feed-fold", HANDLE_MS + 2.0 * (READ_MS + WRITE_MS))?;
    let device = connected
        + beat * (MONTH / BEAT_MINUTES)
        + look * (MONTH / LOOK_MINUTES)
        + anew * (MONTH / CONNECTION_MINUTES);

    let mut asleep =
        Usage { alarm_metrics: template::alarm_metrics(routes)? as f64, ..Usage::default() };
    let mut areas = BTreeSet::new();
    for route in routes {
        match &route.entry {
            Entry::Timer(period, _) => {
                let looked = Usage { reads: SWEEP_READS, ..Usage::default() }
                    + run(routes, route.name, HANDLE_MS + SWEEP_READS * READ_MS)?;
                asleep = asleep + looked * (MONTH * 60.0 / period.as_secs_f64());
                areas.insert(route.area());
            }
            Entry::Queue(..) => {
                let polls = Usage { queue: POLLS_PER_MINUTE, ..Usage::default() };
                asleep = asleep + polls * MONTH;
            }
            _ => {}
        }
    }
    asleep.custom_metrics = METRICS_PER_AREA * areas.len() as f64;
    Ok(vec![
        Path { name: "an idle device", usage: device, target: Some(0.03) },
        Path { name: "asleep, the whole deployment", usage: asleep, target: Some(3.0) },
    ])
}

fn counted(name: &str) -> Result<Counted> {
    let all: serde_json::Value = serde_json::from_str(COUNTED)?;
    Counted::deserialize(&all[name]).with_context(|| format!("counted.json has no {name}"))
}

/// One run of a function that takes so many milliseconds, with its log.
fn run(routes: &[Route], name: &str, ms: f64) -> Result<Usage> {
    let route = routes.iter().find(|route| route.name == name);
    let route = route.with_context(|| format!("no function is called {name}"))?;
    Ok(Usage {
        runs: 1.0,
        gb_seconds: f64::from(route.memory_mb) / 1024.0 * ms / 1000.0,
        log_gb: LOG_BYTES / 1e9,
        ..Usage::default()
    })
}
