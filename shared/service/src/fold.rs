//! Reads are folded from the feed: what lists, placement and the sweep need is written here, a
//! batch of changes at a time, and never by the requests that made the changes.
//!
//! Batches come at least once, so every fold either writes what is true of the newest state
//! whatever was written before, or remembers the last sequence that it has counted.

mod fleet;
mod open;
pub(crate) mod stats;
pub(crate) mod totals;

use std::collections::BTreeMap;

use domain::{device::Device, job::Job};
use ports::{Change, Item};
use serde::de::DeserializeOwned;

use crate::{App, Result, table};

/// Folds one batch of changes.
pub async fn batch(app: &App, changes: &[Change]) -> Result<()> {
    let mut jobs: BTreeMap<&str, JobChange> = BTreeMap::new();
    let mut devices: BTreeMap<&str, Option<Device>> = BTreeMap::new();
    let mut ended = Vec::new();
    for change in changes {
        if let (Some(id), "HEAD") = (change.key.partition.strip_prefix("JOB#"), &*change.key.sort) {
            let old: Option<Job> = image(change.old.as_ref())?;
            let new: Option<Job> = image(change.new.as_ref())?;
            let entry = jobs
                .entry(id)
                .or_insert_with(|| JobChange { was_open: is_open(old.as_ref()), now: None });
            let was_over = old.is_some_and(|job| job.state.is_terminal());
            if let Some(job) = new.as_ref().filter(|job| job.state.is_terminal() && !was_over) {
                ended.push((change.sequence, job.clone()));
            }
            entry.now = new;
        } else if let (Some(id), "HEAD") =
            (change.key.partition.strip_prefix("DEV#"), &*change.key.sort)
        {
            devices.insert(id, image(change.new.as_ref())?);
        }
    }
    fleet::fold(app, devices.into_values().flatten()).await?;
    open::fold(app, &jobs).await?;
    stats::fold(app, &ended).await?;
    totals::fold(app, changes).await
}

/// What became of a job over one batch.
struct JobChange {
    was_open: bool,
    now: Option<Job>,
}

fn is_open(job: Option<&Job>) -> bool {
    job.is_some_and(|job| !job.state.is_terminal())
}

fn image<T: DeserializeOwned>(item: Option<&Item>) -> Result<Option<T>> {
    item.cloned().map(table::decode).transpose()
}
