//! The net under everything: finds work whose deadline passed, whose device is gone or slow, or
//! that nobody attends any more.
//!
//! It walks the open jobs that the feed has listed (see `fold::open`): those that outlived one
//! batch of changes. Everything it does is a decision on the stored job, so two sweeps at once, or
//! one that dies half-way, do no harm.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    device::Device,
    job::{Event, Job},
};
use ports::Query;

use crate::{App, OWN_DEVICE, Result, fold::open::Row, jobs, table};

/// How many open jobs are read at a time.
const PAGE: usize = 100;

/// One look at every open job.
pub async fn all(app: &App) -> Result<()> {
    for shard in 0..table::OPEN_SHARDS {
        walk(app, shard, None).await?;
    }
    Ok(())
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
        let jobs: Vec<Job> =
            found.into_iter().flatten().map(table::decode).collect::<Result<_>>()?;
        let devices = holders(app, &jobs).await?;
        for job in jobs.into_iter().filter(|job| !job.state.is_terminal()) {
            let id = job.id.clone();
            if let Err(cause) = one(app, job, &devices).await {
                tracing::warn!(%cause, job = id, "the sweep could not look after a job");
            }
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(()),
        }
    }
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

async fn one(app: &App, mut job: Job, devices: &BTreeMap<String, Device>) -> Result<()> {
    let now = app.now_us();
    if now >= job.deadline_us {
        let _ = jobs::apply(app, job, Event::Expire).await?;
        return Ok(());
    }
    if job.is_attended(now) {
        return Ok(());
    }
    let working: Vec<_> = job.working().cloned().collect();
    let mut slow = false;
    for attempt in working {
        let patience_us = app.lease().lease_ms * 1000;
        let late = now >= attempt.sent_us + patience_us;
        let sent_ms = attempt.sent_us / 1000;
        let lost = match devices.get(&attempt.device) {
            Some(device) => device.has_lost(&attempt.session, sent_ms, now / 1000, app.lease()),
            // the platform's own device has no session: its queue delivers again when it died
            None => attempt.device != OWN_DEVICE || late,
        };
        if lost {
            let reason = "the device went away".to_owned();
            let event = Event::Lost { fence: attempt.fence, reason };
            job = match jobs::apply(app, job, event).await? {
                Ok((job, _)) | Err((job, _)) => job,
            };
        } else {
            slow |= late;
        }
    }
    let idle = job.working().next().is_none();
    if job.state.is_terminal() || !(idle || (slow && job.may_try(app.lease()))) {
        return Ok(());
    }
    jobs::ask_another(app, job).await
}
