//! Reads are folded from the feed: what lists, placement and the sweep need is written here, a
//! batch of changes at a time, and never by the requests that made the changes.
//!
//! Batches come at least once, so every fold either writes what is true of the newest state
//! whatever was written before, or remembers the last sequence that it has counted.
//!
//! Nearly every change is of a job, so jobs are looked at, and decoded only where one is needed.
//!
//! Everything goes through here, so what cannot be read, or not written as it is, is left out with
//! a line in the log; only a store that fails holds up a batch.

mod files;
mod fleet;
pub(crate) mod open;
pub(crate) mod stats;
pub(crate) mod totals;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{
    device::Capabilities,
    job::{Job, State},
};
use ports::{Change, Condition, Error as PortError, Item, Key, Write};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{App, Result, models, table};

/// Folds one batch of changes.
pub async fn batch(app: &App, changes: Vec<Change>) -> Result<()> {
    let mut counts = Vec::new();
    let mut jobs: BTreeMap<String, JobChange> = BTreeMap::new();
    let mut devices = BTreeSet::new();
    let mut ended: Vec<(u64, Job)> = Vec::new();
    let mut removed: Vec<Job> = Vec::new();
    let mut removed_models = Vec::new();
    let mut newest: HashMap<String, Glance> = HashMap::new();
    for Change { sequence, key, old, new } in changes {
        let Some((kind, id)) = key.partition.split_once('#') else { continue };
        if key.sort != "HEAD" || !matches!(kind, "JOB" | "DEV" | "MODEL") {
            continue;
        }
        let glance = |image: &Option<Item>| match image {
            Some(image) => table::readable::<Glance>(&key, image).map(Some),
            None => Some(None),
        };
        // the changes of one item are in their order: what it became last time, it was before
        let before = match newest.remove(&key.partition) {
            Some(before) => Some(Some(before)),
            None => glance(&old),
        };
        let (Some(before), Some(after)) = (before, glance(&new)) else { continue };
        if let Some(after) = &after {
            newest.insert(key.partition.clone(), after.clone());
        }
        counts.extend(totals::count(kind, sequence, before.as_ref(), after.as_ref()));
        match (kind, after) {
            ("JOB", after) => {
                let was_open = before.is_some_and(|job| job.is_open());
                let change =
                    jobs.entry(id.to_owned()).or_insert_with(|| JobChange { was_open, open: None });
                change.open = None;
                match (after, old, new) {
                    (Some(after), _, Some(image)) if after.is_open() => change.open = Some(image),
                    (Some(_), old, Some(image)) if was_open || old.is_none() => {
                        ended.extend(table::readable(&key, &image).map(|job| (sequence, job)));
                    }
                    (None, Some(image), _) => removed.extend(table::readable(&key, &image)),
                    _ => {}
                }
            }
            ("DEV", Some(after)) => {
                devices.insert((id.to_owned(), after.customer));
            }
            ("MODEL", None) => removed_models.push(id.to_owned()),
            _ => {}
        }
    }
    fleet::fold(app, devices).await?;
    open::fold(app, jobs).await?;
    stats::fold(app, &ended).await?;
    totals::fold(app, counts).await?;
    for id in removed_models {
        models::clear(app, &id).await?;
    }
    files::fold(app, &removed).await
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

/// What is looked at of every job, device and model.
#[derive(Clone, Deserialize)]
struct Glance {
    customer: String,
    /// Of a job.
    state: Option<State>,
    /// Of a device: it is not connected.
    closed_ms: Option<u64>,
    /// Of a device: it is silent.
    lost_ms: Option<u64>,
    /// Of a device.
    slots_free: Option<u32>,
    /// Of a device.
    capabilities: Option<Capabilities>,
}

impl Glance {
    fn is_open(&self) -> bool {
        self.state.is_some_and(|state| !state.is_terminal())
    }

    fn is_present(&self) -> bool {
        self.closed_ms.is_none() && self.lost_ms.is_none()
    }
}

/// What became of a job over one batch.
struct JobChange {
    /// Before the batch.
    was_open: bool,
    /// The job, if it is open after the batch.
    open: Option<Item>,
}
