//! Work that waits for a device, oldest first, and devices that pull it.

use std::{collections::BTreeSet, time::Duration};

use domain::{fleet::EVERYONE, job::Job, model::Placement};
use ports::{Condition, Item, Key, Query, Write};
use serde::{Deserialize, Serialize};

use crate::{
    App, Error, Result, WORK_QUEUE,
    jobs::{self, Found},
    table,
};

/// How long this process believes that nothing in a scope can run.
const BELIEVED_MS: u64 = 1_000;

/// How many jobs are looked at for one that can run: those that wait for another kind of device must
/// not hold up the rest.
const LOOK_AHEAD: usize = 50;

/// How many chunks of a batch are looked at for one that can run: they all want the same devices.
const CHUNKS_AHEAD: usize = 4;

/// When it is worth trying again after too much waited.
const RETRY_SECONDS: u64 = 10;

/// How often the sweep has a scope looked at, in milliseconds.
const REMINDED_MS: u64 = 5_000;

/// A job that waits.
#[derive(Serialize, Deserialize)]
struct Row {
    job: String,
    /// Whose it is.
    #[serde(default)]
    customer: String,
    /// Another each time the job is parked, so that a row which is out of date can be told.
    version: u64,
    expires_at: u64,
}

/// A row that was written.
pub(crate) struct Parked {
    key: Key,
    version: u64,
}

/// Where a job waits: with its batch, with its customer, or where everyone's devices look.
fn scope(job: &Job) -> &str {
    if let Some(chunk) = &job.chunk {
        return &chunk.batch;
    }
    match job.wants.placement {
        Placement::Shared => EVERYONE,
        Placement::Own | Placement::Platform => &job.customer,
    }
}

fn key(job: &Job) -> Key {
    match &job.chunk {
        Some(chunk) => table::waiting_chunk(&chunk.batch, chunk.number),
        None => table::waiting_job(scope(job), job.created_us, &job.id),
    }
}

/// Parks a job.
pub(crate) async fn put(app: &App, job: &Job) -> Result<Parked> {
    let (key, version) = (key(job), app.now_us());
    let (customer, expires_at) = (job.customer.clone(), job.expires_at);
    let row = Row { job: job.id.clone(), customer, version, expires_at };
    app.ports
        .records
        .write(Write::put(key.clone(), table::encode(&row)?, Condition::Always))
        .await?;
    // after the write: see `walk`
    app.caches().parked.insert(scope(job), app.now_ms(), true);
    Ok(Parked { key, version })
}

/// Refuses one more job of a customer's, of the placement, while the oldest waits for too long.
pub(crate) async fn check_backlog(app: &App, customer: &str, placement: Placement) -> Result<()> {
    let scope = match placement {
        Placement::Shared => EVERYONE,
        Placement::Own | Placement::Platform => customer,
    };
    let (name, now) = (format!("{scope}/{customer}"), app.now_ms());
    let oldest_ms = match app.caches().oldest.get(&name, now, BELIEVED_MS) {
        Some(oldest_ms) => oldest_ms,
        None => {
            let query = Query::new(table::waiting(scope), "", LOOK_AHEAD);
            let rows = app.ports.records.query(query).await?.items;
            let own = |row: &Item| row.decode().is_ok_and(|row: Row| row.customer == customer);
            let oldest = rows.into_iter().find(|(_, row)| own(row));
            // when it was created is where its sort key begins
            let created = oldest.and_then(|(sort, _)| sort.split('#').next()?.parse::<u64>().ok());
            let oldest_ms = created.map(|created_us| created_us / 1000);
            app.caches().oldest.insert(&name, now, oldest_ms);
            oldest_ms
        }
    };
    let waited_ms = oldest_ms.map_or(0, |oldest_ms| now.saturating_sub(oldest_ms));
    if waited_ms < app.lease().backlog_ms {
        return Ok(());
    }
    // if it waits no more, its row goes
    send(app, scope).await?;
    let message = format!(
        "your oldest job that waits for a device has waited for {} s; connect more devices, or send it later",
        waited_ms / 1000
    );
    Err(Error::RateLimited(message, RETRY_SECONDS))
}

/// The job waits no more, unless it was parked again meanwhile.
pub(crate) async fn remove(app: &App, parked: &Parked) -> Result<()> {
    let write = Write::delete(parked.key.clone(), Condition::Version(parked.version));
    let _ = table::unless_failed(app.ports.records.write(write).await)?;
    Ok(())
}

/// Which of the jobs are parked, by id.
pub(crate) async fn among(app: &App, jobs: &[Job]) -> Result<BTreeSet<String>> {
    let keys: Vec<_> = jobs.iter().map(key).collect();
    let rows = app.ports.records.batch_get(&keys).await?;
    let parked = jobs.iter().zip(rows).filter(|(_, row)| row.is_some());
    Ok(parked.map(|(job, _)| job.id.clone()).collect())
}

/// A device of `customer` has room: finds work for it, at most `limit` jobs. What waits and cannot
/// run yet stays where it is.
pub async fn pull(app: &App, customer: &str, limit: usize) -> Result<()> {
    let mut left = limit;
    for scope in [customer, EVERYONE] {
        let believed = app.caches().parked.get(scope, app.now_ms(), BELIEVED_MS);
        if left > 0 && believed != Some(false) {
            // boxed: it finds devices and sends, and every message's future would have room for that
            let ahead = left.clamp(LOOK_AHEAD, 1000);
            left -= Box::pin(walk(app, scope, left, ahead, true)).await?.sent;
        }
    }
    Ok(())
}

/// A device has room for chunks: finds one for at most `limit` of a batch's, the first to wait first;
/// how many were sent.
pub(crate) async fn walk_chunks(app: &App, batch: &str, limit: usize) -> Result<usize> {
    if app.caches().parked.get(batch, app.now_ms(), BELIEVED_MS) == Some(false) {
        return Ok(0);
    }
    let Walked { sent, left } = walk(app, batch, limit, CHUNKS_AHEAD, true).await?;
    if left {
        // the devices are full now, and each chunk that ends makes room
        app.caches().parked.insert(batch, app.now_ms(), true);
    }
    Ok(sent)
}

/// The first chunks of a batch that wait, by id.
pub(crate) async fn waiting_chunks(app: &App, batch: &str, limit: usize) -> Result<Vec<String>> {
    let rows = app.ports.records.query(Query::new(table::waiting(batch), "", limit)).await?;
    rows.items.into_iter().map(|(_, row)| Ok(table::decode::<Row>(row)?.job)).collect()
}

/// Has the scope of a parked job looked at, in case no device said that it has room.
pub(crate) async fn remind(app: &App, job: &Job) -> Result<()> {
    let (scope, now) = (scope(job), app.now_ms());
    if app.caches().reminded.get(scope, now, REMINDED_MS).is_none() {
        app.caches().reminded.insert(scope, now, ());
        send(app, scope).await?;
    }
    Ok(())
}

/// Finds devices for what waits in a scope; goes on in another message while all of it can run.
pub async fn look(app: &App, scope: &str) -> Result<()> {
    if walk(app, scope, LOOK_AHEAD, LOOK_AHEAD, false).await?.sent == LOOK_AHEAD {
        send(app, scope).await?;
    }
    Ok(())
}

async fn send(app: &App, scope: &str) -> Result<()> {
    let body = serde_json::json!({ "waiting": scope });
    Ok(app.ports.queues.send(WORK_QUEUE, &body, Duration::ZERO).await?)
}

/// What came of a look at what waits.
struct Walked {
    /// How many were sent.
    sent: usize,
    /// Some cannot run now.
    left: bool,
}

/// Sends the oldest jobs of a scope, at most `limit` of the first `ahead`.
async fn walk(
    app: &App,
    scope: &str,
    limit: usize,
    ahead: usize,
    has_room: bool,
) -> Result<Walked> {
    let now = app.now_ms();
    // before the look: whoever parks a job during it says so afterwards, and is believed
    app.caches().parked.insert(scope, now, false);
    let rows = app.ports.records.query(Query::new(table::waiting(scope), "", ahead)).await?;
    let (mut sent, mut left) = (0, false);
    for (sort, row) in rows.items {
        if sent == limit {
            break;
        }
        let Row { job, version, .. } = table::decode(row)?;
        match jobs::find_device(app, &job, has_room).await {
            Ok(Found::Nowhere(_)) => {
                left = true;
                continue;
            }
            Ok(Found::Sent) => sent += 1,
            Ok(Found::Settled) => {}
            Err(cause) => {
                tracing::warn!(%cause, job, "a parked job could not be looked at");
                continue;
            }
        }
        remove(app, &Parked { key: Key::new(table::waiting(scope), sort), version }).await?;
    }
    if sent > 0 {
        app.caches().parked.insert(scope, now, true);
    }
    Ok(Walked { sent, left })
}
