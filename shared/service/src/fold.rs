//! Reads are folded from the feed: what lists, placement and the sweep need is written here, a
//! batch of changes at a time, and never by the requests that made the changes.
//!
//! Batches come at least once, so every fold either writes what is true of the newest state
//! whatever was written before, or remembers the last change of each shard that it has counted.
//!
//! Nearly every change is of a job, and where the calls that made it are of this process, nothing of
//! it is decoded again.
//!
//! Everything goes through here, so what cannot be read, or not written as it is, is left out with
//! a line in the log; only a store that fails holds up a batch.

mod batches;
mod files;
mod fleet;
mod folded;
pub(crate) mod open;
pub(crate) mod stats;
pub(crate) mod totals;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use domain::{batch::Batch, device::Capabilities, job::Job};
use ports::{Change, Condition, Error as PortError, Item, Key, Place, Write};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{App, Result, datasets, models, table};

/// Folds one batch of changes.
pub async fn batch(app: &App, changes: Vec<Change>) -> Result<()> {
    let mut counts = Vec::new();
    let mut jobs: BTreeMap<String, JobChange> = BTreeMap::new();
    let mut devices = BTreeSet::new();
    let mut ended: Vec<(Place, Arc<Job>)> = Vec::new();
    let mut removed: Vec<Arc<Job>> = Vec::new();
    let mut removed_models = Vec::new();
    let mut removed_batches = Vec::new();
    let mut removed_datasets: Vec<Arc<datasets::Record>> = Vec::new();
    for Change { place, key, old, new } in changes {
        let Some((kind, id)) = key.partition.split_once('#') else { continue };
        if key.sort != "HEAD" {
            continue;
        }
        match kind {
            "JOB" => {
                // the changes of one item are in their order: what it became last time, it was before
                let known = jobs.get(id).map(|change| change.newest.clone());
                let before = known.or_else(|| read::<Job>(&key, old));
                let (Some(before), Some(after)) = (before, read::<Job>(&key, new)) else {
                    continue;
                };
                let was_open = before.as_deref().is_some_and(is_open);
                let change = jobs
                    .entry(id.to_owned())
                    .or_insert_with(|| JobChange { was_open, newest: None });
                change.newest.clone_from(&after);
                // a chunk is a part of a job
                let is_whole = [&before, &after].iter().all(|job| is_whole(job.as_deref()));
                if is_whole {
                    let states = [&before, &after].map(|job| job.as_ref().map(|job| job.state));
                    counts.extend(totals::count_job(&place, states));
                }
                match (before, after) {
                    (Some(before), None) => removed.push(before),
                    (before, Some(after)) if !is_open(&after) && (was_open || before.is_none()) => {
                        ended.push((place, after));
                    }
                    _ => {}
                }
            }
            "BATCH" => {
                let (before, after) = (read::<Batch>(&key, old), read::<Batch>(&key, new));
                let (Some(before), Some(after)) = (before, after) else { continue };
                let states = [&before, &after].map(|batch| batch.as_ref().map(|b| b.state));
                counts.extend(totals::count_job(&place, states));
                if let (Some(before), None) = (before, after) {
                    removed_batches.push(before);
                }
            }
            "DEV" => {
                let (before, after) = (read::<Glance>(&key, old), read::<Glance>(&key, new));
                let (Some(before), Some(after)) = (before, after) else { continue };
                counts.extend(totals::count_device(&place, before.as_deref(), after.as_deref()));
                devices.extend(after.map(|after| (id.to_owned(), after.customer.clone())));
            }
            "MODEL" => {
                counts.extend(totals::count_model(&place, old.is_some(), new.is_some()));
                if new.is_none() {
                    removed_models.push(id.to_owned());
                }
            }
            "DATASET" if new.is_none() => removed_datasets.extend(read(&key, old).flatten()),
            _ => {}
        }
    }
    fleet::fold(app, devices).await?;
    open::fold(app, jobs).await?;
    stats::fold(app, &ended).await?;
    totals::fold(app, counts).await?;
    batches::wake(app, &ended).await?;
    batches::clear(app, &removed_batches).await?;
    for id in removed_models {
        models::clear(app, &id).await?;
    }
    for dataset in removed_datasets {
        datasets::clear(app, &dataset).await?;
    }
    files::fold(app, &removed).await
}

/// An image of a change; the inner `None` says that there was no such item, the outer one that it
/// cannot be read.
fn read<T: DeserializeOwned + Send + Sync + 'static>(
    key: &Key,
    image: Option<Item>,
) -> Option<Option<Arc<T>>> {
    match image {
        Some(image) => table::readable_shared(key, &image).map(Some),
        None => Some(None),
    }
}

/// A row that is added to, and the condition that it still is as it was read; `None` for one that
/// cannot be read.
async fn load<T: Default + DeserializeOwned>(
    app: &App,
    key: &Key,
    version: impl FnOnce(&T) -> u64,
) -> Result<Option<(T, Condition)>> {
    let Some(item) = app.ports.records.get(key).await? else {
        return Ok(Some((T::default(), Condition::Absent)));
    };
    let row: Option<T> = table::readable(key, &item);
    Ok(row.map(|row| {
        let condition = Condition::Version(version(&row));
        (row, condition)
    }))
}

/// What came of writing a row.
enum Written {
    Yes,
    /// Its condition did not hold any more.
    Changed,
    /// The store will never take it as it is.
    Refused,
}

async fn write(app: &App, write: Write) -> Result<Written> {
    let key = write.key().clone();
    match app.ports.records.write(write).await {
        Ok(_) => Ok(Written::Yes),
        Err(PortError::ConditionFailed(_)) => Ok(Written::Changed),
        Err(PortError::Invalid(cause)) => {
            tracing::error!(cause, ?key, "a row cannot be written and is skipped");
            Ok(Written::Refused)
        }
        Err(error) => Err(error.into()),
    }
}

/// What is looked at of every device.
#[derive(Deserialize)]
struct Glance {
    customer: String,
    /// It is not connected.
    closed_ms: Option<u64>,
    /// It is silent.
    lost_ms: Option<u64>,
    slots_free: Option<u32>,
    capabilities: Option<Capabilities>,
}

impl Glance {
    fn is_present(&self) -> bool {
        self.closed_ms.is_none() && self.lost_ms.is_none()
    }
}

fn is_whole(job: Option<&Job>) -> bool {
    job.is_none_or(|job| job.chunk.is_none())
}

fn is_open(job: &Job) -> bool {
    !job.state.is_terminal()
}

/// What became of a job over one batch.
struct JobChange {
    /// Before the batch.
    was_open: bool,
    /// After it; `None` when it was removed.
    newest: Option<Arc<Job>>,
}
