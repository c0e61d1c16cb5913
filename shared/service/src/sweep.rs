//! The net under everything: finds work whose deadline passed, whose device is gone or slow, or
//! that nobody looks after any more, and puts it into the queue.
//!
//! It walks the open jobs that the feed has listed (see `fold::open`): those that outlived one
//! batch of changes. Everything it does is a decision on the stored job, so two sweeps at once, or
//! one that dies half-way, do no harm.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use domain::{
    device::Device,
    job::{Event, Job},
};
use ports::{Condition, Key, Query, Write};

use crate::{App, Result, batch, fold::open::Row, jobs, parked, sessions, table};

/// How many open jobs are read at a time.
const PAGE: usize = 100;

/// How long a job that was put into the queue is left to it: until then the queue itself delivers
/// again what a consumer did not finish.
const QUEUED_MS: u64 = 90_000;

/// How long a job that is over may be listed before the sweep takes it off the list.
const STRUCK_US: u64 = 60_000_000;

/// One look at every open job and batch.
pub async fn all(app: &App) -> Result<()> {
    for shard in 0..table::OPEN_SHARDS {
        walk(app, shard, None).await?;
    }
    batch::sweep(app).await
}

/// One look at the open jobs in the hands of a device.
pub async fn device(app: &App, device: &str) -> Result<()> {
    for shard in 0..table::OPEN_SHARDS {
        walk(app, shard, Some(device)).await?;
    }
    Ok(())
}

async fn walk(app: &App, shard: u32, only: Option<&str>) -> Result<()> {
    let mut query = Query::new(table::open_shard(shard), "", PAGE);
    loop {
        let page = app.ports.records.query(query.clone()).await?;
        let mut keys = Vec::with_capacity(page.items.len());
        for (job, row) in page.items {
            let concerned = match only {
                None => true,
                Some(device) => table::decode::<Row>(row)?.devices.iter().any(|d| d == device),
            };
            if concerned {
                keys.push(table::job(&job));
            }
        }
        let found = app.ports.records.batch_get(&keys).await?;
        let mut jobs: Vec<Job> = Vec::with_capacity(keys.len());
        for (key, item) in keys.iter().zip(found) {
            match item.map(table::decode::<Job>).transpose()? {
                Some(job) if !job.state.is_terminal() => jobs.push(job),
                over => strike(app, key, over).await?,
            }
        }
        let devices = holders(app, &jobs).await?;
        let mut idle = Vec::new();
        for job in jobs {
            let id = job.id.clone();
            match one(app, job, &devices).await {
                Ok(left) => idle.extend(left),
                Err(cause) => {
                    tracing::warn!(%cause, job = id, "the sweep could not look after a job");
                }
            }
        }
        remind(app, idle).await?;
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(()),
        }
    }
}

/// Takes a job that is over off the list. The feed does so as a rule; but where a batch came again in
/// another size, the job was listed by the first and began and ended within the second.
async fn strike(app: &App, job: &Key, over: Option<Job>) -> Result<()> {
    let ended_us = over.and_then(|job| job.ended_us).unwrap_or(0);
    let Some(id) = job.partition.strip_prefix("JOB#") else { return Ok(()) };
    // the feed is given time
    if app.now_us() >= ended_us + STRUCK_US {
        let write = Write::delete(table::open_job(id), Condition::Always);
        app.ports.records.write(write).await?;
    }
    Ok(())
}

/// The devices that work on these jobs.
async fn holders(app: &App, jobs: &[Job]) -> Result<BTreeMap<String, Device>> {
    let ids: BTreeSet<&str> =
        jobs.iter().flat_map(|job| job.working().map(|attempt| attempt.device.as_str())).collect();
    let keys: Vec<_> = ids.into_iter().map(table::device).collect();
    let mut devices = BTreeMap::new();
    for keys in keys.chunks(100) {
        for item in app.ports.records.batch_get(keys).await?.into_iter().flatten() {
            let device: Device = table::decode(item)?;
            devices.insert(device.id.clone(), device);
        }
    }
    Ok(devices)
}

/// Looks after one job; returns it if nobody works on it, and nobody but the queue or a device with
/// room will see to it.
async fn one(app: &App, mut job: Job, devices: &BTreeMap<String, Device>) -> Result<Option<Job>> {
    let now = app.now_us();
    if now >= job.deadline_us {
        let _ = jobs::apply(app, job, Event::Expire).await?;
        return Ok(None);
    }
    if job.is_attended(now) {
        return Ok(None);
    }
    let mut newly_lost = false;
    for attempt in job.working().cloned().collect::<Vec<_>>() {
        let is_lost = devices.get(&attempt.device).is_none_or(|device| {
            device.has_lost(&attempt.session, attempt.sent_us / 1000, now / 1000, app.lease())
        });
        if is_lost {
            sessions::found_lost(app, &attempt.device, &attempt.session).await?;
            let reason = "the device went away".to_owned();
            let event = Event::Lost { fence: attempt.fence, reason };
            job = match jobs::apply(app, job, event).await? {
                Ok((job, _)) | Err((job, _)) => job,
            };
            newly_lost = true;
        }
    }
    if job.state.is_terminal() {
        return Ok(None);
    }
    let is_idle = job.working().next().is_none();
    if is_idle && !newly_lost {
        return Ok(Some(job));
    }
    if is_idle || is_unheard(app, &job) && jobs::is_slow(app, &job).await? {
        jobs::enqueue(app, &job.id, Duration::ZERO).await?;
    }
    Ok(None)
}

/// Whether nothing is in the queue for a job, as far as this process knows: nothing was put there
/// lately, or before the newest attempt was sent.
fn is_unheard(app: &App, job: &Job) -> bool {
    let sent_ms = job.working().map(|attempt| attempt.sent_us / 1000).max();
    let lease_ms = app.lease().lease_ms;
    jobs::queued_ms(app, &job.id).is_none_or(|at| {
        sent_ms.is_some_and(|sent| at < sent + lease_ms) || app.now_ms() >= at + QUEUED_MS
    })
}

/// Sees to it that jobs which nobody works on are looked at: those that are parked by their scope,
/// the others each.
async fn remind(app: &App, idle: Vec<Job>) -> Result<()> {
    if idle.is_empty() {
        return Ok(());
    }
    let parked = parked::among(app, &idle).await?;
    for job in &idle {
        if parked.contains(&job.id) {
            parked::remind(app, job).await?;
        } else if is_unheard(app, job) {
            jobs::enqueue(app, &job.id, Duration::ZERO).await?;
        }
    }
    Ok(())
}
