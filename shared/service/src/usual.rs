//! How long models usually take on a device, as this process saw it: from sending to the result,
//! without the waiting on the device. It decides when an attempt counts as slow.

use crate::{App, in_flight::Sent};

/// What is believed at most: no deadline is longer.
const LONGEST_MS: f64 = 24.0 * 3_600_000.0;

/// What is known of a model, in milliseconds.
pub(crate) fn of(app: &App, checksum: &str) -> Option<f64> {
    app.caches().usual.get(checksum)
}

/// The same of one input of a batch, whose inputs run together.
pub(crate) fn of_stacked(app: &App, checksum: &str) -> Option<f64> {
    app.caches().usual.get(&stacked(checksum))
}

fn stacked(checksum: &str) -> String {
    format!("{checksum}#stacked")
}

/// A device brought the result of what it was sent; `queue_ms` is how long it says that the task
/// waited there.
pub(crate) fn learn(app: &App, sent: &Sent, now_us: u64, queue_ms: f64) {
    let elapsed_ms = (now_us.saturating_sub(sent.sent_us) as f64 / 1000.0).min(LONGEST_MS);
    // no number of a device makes it less than nothing, or more than the time that passed
    let took_ms = (elapsed_ms - queue_ms.max(0.0)).clamp(0.0, elapsed_ms);
    if took_ms.is_nan() {
        return;
    }
    let (name, took_ms) = match sent.stacked {
        None => (sent.checksum.clone(), took_ms),
        Some(count) => (stacked(&sent.checksum), took_ms / f64::from(count.max(1))),
    };
    let usual = &app.caches().usual;
    let learnt = usual.get(&name).map_or(took_ms, |before| before * 0.9 + took_ms * 0.1);
    usual.insert(name, learnt);
}
