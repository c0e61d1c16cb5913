//! What each device did: one write per device and batch, counted once however often a batch comes.

use std::{collections::BTreeMap, sync::Arc};

use domain::job::{End, Job};
use ports::{Place, Write};
use serde::{Deserialize, Serialize};

use super::{Written, folded::Folded};
use crate::{App, OWN_DEVICE, Result, table};

/// What a device did, as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stats {
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) latency_ms: f64,
    pub(crate) cpu_ms: f64,
    pub(crate) gpu_ms: f64,
    /// The changes that are counted.
    #[serde(default)]
    counted: Folded,
    version: u64,
}

/// Counts the jobs that ended, each with the place of the change that ended it.
pub(super) async fn fold(app: &App, ended: &[(Place, Arc<Job>)]) -> Result<()> {
    let mut by_device: BTreeMap<&str, Vec<&(Place, Arc<Job>)>> = BTreeMap::new();
    for change in ended {
        let mut devices: Vec<&str> = change.1.attempts.iter().map(|a| a.device.as_str()).collect();
        devices.sort_unstable();
        devices.dedup();
        for device in devices.into_iter().filter(|device| *device != OWN_DEVICE) {
            by_device.entry(device).or_default().push(change);
        }
    }
    for (device, ended) in by_device {
        count(app, device, &ended).await?;
    }
    Ok(())
}

async fn count(app: &App, device: &str, ended: &[&(Place, Arc<Job>)]) -> Result<()> {
    let key = table::device_stats(device);
    loop {
        let found = super::load(app, &key, |stats: &Stats| stats.version).await?;
        let Some((mut stats, condition)) = found else { return Ok(()) };
        let new: Vec<_> = ended.iter().filter(|(place, _)| !stats.counted.has(place)).collect();
        if new.is_empty() {
            return Ok(());
        }
        for (place, job) in new {
            stats.counted.add(place, app.now_ms() / 1000);
            stats.add(device, job);
        }
        stats.version += 1;
        let write = Write::put(key.clone(), table::encode(&stats)?, condition);
        if !matches!(super::write(app, write).await?, Written::Changed) {
            return Ok(());
        }
    }
}

impl Stats {
    fn add(&mut self, device: &str, job: &Job) {
        let mine = |a: &&domain::job::Attempt| a.device == device;
        let failed = |a: &&domain::job::Attempt| a.end.as_ref().is_some_and(End::was_tried);
        self.failed += job.attempts.iter().filter(mine).filter(failed).count() as u64;
        let won = job.winner().filter(mine).zip(job.outcome.as_ref());
        if let Some((_, outcome)) = won {
            self.completed += 1;
            add(&mut self.latency_ms, job.timings_ms().map_or(0.0, |[.., total]| total));
            add(&mut self.cpu_ms, outcome.cpu_ms);
            add(&mut self.gpu_ms, outcome.gpu_ms);
        }
    }
}

/// A sum that stays a number: JSON has none for infinity.
fn add(sum: &mut f64, ms: f64) {
    *sum = (*sum + ms.max(0.0)).min(f64::MAX);
}
