//! Reads are folded from the feed: what lists, placement and the sweep need is written here, a
//! batch of changes at a time, and never by the requests that made the changes.
//!
//! Batches come at least once, so every fold either writes what is true of the newest state
//! whatever was written before, or remembers the last sequence that it has counted.
//!
//! Nearly every change is of a job, so jobs are looked at, and decoded only where one is needed.

mod fleet;
mod open;
pub(crate) mod stats;
pub(crate) mod totals;

use std::collections::{BTreeMap, BTreeSet};

use domain::job::Job;
use ports::{Change, Item};

use crate::{App, Result, table};

/// Folds one batch of changes.
pub async fn batch(app: &App, changes: Vec<Change>) -> Result<()> {
    let counts = totals::count(&changes);
    let mut jobs: BTreeMap<String, JobChange> = BTreeMap::new();
    let mut devices = BTreeSet::new();
    let mut ended: Vec<(u64, Job)> = Vec::new();
    for Change { sequence, key, old, new } in changes {
        if key.sort != "HEAD" {
            continue;
        }
        if let Some(id) = key.partition.strip_prefix("JOB#") {
            let was_open = old.as_ref().is_some_and(is_open);
            let change =
                jobs.entry(id.to_owned()).or_insert_with(|| JobChange { was_open, open: None });
            change.open = None;
            match new {
                Some(item) if is_open(&item) => change.open = Some(item),
                Some(item) if old.is_none() || was_open => {
                    ended.push((sequence, table::decode(item)?));
                }
                _ => {}
            }
        } else if let Some(id) = key.partition.strip_prefix("DEV#")
            && let Some(item) = &new
            && let Some(customer) = item.get("customer").and_then(|customer| customer.as_str())
        {
            devices.insert((id.to_owned(), customer.to_owned()));
        }
    }
    fleet::fold(app, devices).await?;
    open::fold(app, jobs).await?;
    stats::fold(app, &ended).await?;
    totals::fold(app, counts).await
}

/// What became of a job over one batch.
struct JobChange {
    /// Before the batch.
    was_open: bool,
    /// The job, if it is open after the batch.
    open: Option<Item>,
}

fn is_open(job: &Item) -> bool {
    matches!(state(job), Some("queued" | "running"))
}

fn state(job: &Item) -> Option<&str> {
    job.get("state").and_then(|state| state.as_str())
}
