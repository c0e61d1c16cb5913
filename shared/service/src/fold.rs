//! Reads are folded from the feed: what lists, placement and the sweep need is written here, a
//! batch of changes at a time, and never by the requests that made the changes.
//!
//! Batches come at least once, so every fold either writes what is true of the newest state
//! whatever was written before, or remembers the last sequence that it has counted.
//!
//! Nearly every change is of a job, so jobs are looked at, and decoded only where one is needed.

mod fleet;
pub(crate) mod open;
pub(crate) mod stats;
pub(crate) mod totals;

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    device::Capabilities,
    job::{Job, State},
};
use ports::{Change, Item};
use serde::Deserialize;

use crate::{App, Result};

/// Folds one batch of changes.
pub async fn batch(app: &App, changes: Vec<Change>) -> Result<()> {
    let mut counts = Vec::new();
    let mut jobs: BTreeMap<String, JobChange> = BTreeMap::new();
    let mut devices = BTreeSet::new();
    let mut ended: Vec<(u64, Job)> = Vec::new();
    for Change { sequence, key, old, new } in changes {
        let Some((kind, id)) = key.partition.split_once('#') else { continue };
        if key.sort != "HEAD" || !matches!(kind, "JOB" | "DEV" | "MODEL") {
            continue;
        }
        let before: Option<Glance> = old.as_ref().map(Item::decode).transpose()?;
        let after: Option<Glance> = new.as_ref().map(Item::decode).transpose()?;
        counts.extend(totals::count(kind, sequence, before.as_ref(), after.as_ref()));
        match (kind, after) {
            ("JOB", after) => {
                let was_open = before.is_some_and(|job| job.is_open());
                let change =
                    jobs.entry(id.to_owned()).or_insert_with(|| JobChange { was_open, open: None });
                change.open = None;
                match (after, new) {
                    (Some(after), Some(image)) if after.is_open() => change.open = Some(image),
                    (Some(_), Some(image)) if was_open || old.is_none() => {
                        ended.push((sequence, image.decode()?));
                    }
                    _ => {}
                }
            }
            ("DEV", Some(after)) => {
                devices.insert((id.to_owned(), after.customer));
            }
            _ => {}
        }
    }
    fleet::fold(app, devices).await?;
    open::fold(app, jobs).await?;
    stats::fold(app, &ended).await?;
    totals::fold(app, counts).await
}

/// What is looked at of every job, device and model.
#[derive(Deserialize)]
struct Glance {
    customer: String,
    /// Of a job.
    state: Option<State>,
    /// Of a device: it is not connected.
    closed_ms: Option<u64>,
    /// Of a device.
    slots_free: Option<u32>,
    /// Of a device.
    capabilities: Option<Capabilities>,
}

impl Glance {
    fn is_open(&self) -> bool {
        self.state.is_some_and(|state| !state.is_terminal())
    }
}

/// What became of a job over one batch.
struct JobChange {
    /// Before the batch.
    was_open: bool,
    /// The job, if it is open after the batch.
    open: Option<Item>,
}
