//! Finding a device for a job that nobody attends.

use std::time::Duration;

use domain::job::{Event, Failure, Job};

use crate::{
    App, Error, Result,
    attempts::{self, Attempted},
    batch,
    inference::own,
    jobs, models, parked, usual,
};

/// For how long after a call that died its request may come again, with the input that only it has.
const AGAIN_US: u64 = 600_000_000;

/// What came of looking for a device.
pub(crate) enum Found {
    /// Nothing is to be done: the job is over, attended, or in the hands of a device.
    Settled,
    /// A device has it now, or the platform's own has done it.
    Sent,
    /// No device takes it now.
    Nowhere(Box<Job>),
}

/// Finds a device for a job, or parks it until one has room. Does nothing for a job that is over,
/// attended, or in the hands of a device that is neither lost nor slow.
pub async fn dispatch(app: &App, id: &str) -> Result<()> {
    let Found::Nowhere(job) = find_device(app, id, false).await? else { return Ok(()) };
    let row = parked::put(app, &job).await?;
    // a device that had room between the look and the row has found nothing: look again
    let Found::Nowhere(job) = find_device(app, id, false).await? else {
        return parked::remove(app, &row).await;
    };
    // a device that was full says when it has room only if it had work of ours
    let now = app.now_us();
    let rested = job.resting(now).map(|rests| Duration::from_micros(rests.until_us - now)).min();
    match rested {
        Some(delay) if jobs::queued_ms(app, id).is_none_or(|at| at <= app.now_ms()) => {
            jobs::enqueue(app, id, delay).await
        }
        _ => Ok(()),
    }
}

/// Asks one more device for a job that nobody attends: the first time, after the others failed, or
/// beside one that is slow. When a device `has_room`, those that were full before are asked too.
pub(crate) async fn find_device(app: &App, id: &str, has_room: bool) -> Result<Found> {
    let Some(job) = jobs::load(app, id).await? else { return Ok(Found::Settled) };
    let now = app.now_us();
    if job.state.is_terminal() {
        return Ok(Found::Settled);
    }
    if now >= job.deadline_us {
        let _ = jobs::apply(app, job, Event::Expire).await?;
        return Ok(Found::Settled);
    }
    let is_working = job.working().next().is_some();
    if job.is_attended(now) || is_working && !is_slow(app, &job).await? {
        return Ok(Found::Settled);
    }
    let record = match models::find_pinned(app, &job.customer, &job.model).await {
        Ok(record) => record,
        Err(Error::NoModel(_)) => {
            let failure = models::deleted(&job.model.id);
            return abandon(app, job, failure).await;
        }
        Err(error) => return Err(error),
    };
    // a device fetches a chunk's inputs itself
    let inputs = match &job.chunk {
        Some(_) => Some(Vec::new()),
        None => jobs::inputs(app, &job).await?,
    };
    let Some(inputs) = inputs else {
        // the device that has it was given them, or the request comes again and brings them
        let may_come = job.body_hash.is_some() && now < job.attended_until_us + AGAIN_US;
        if is_working || may_come {
            return Ok(Found::Settled);
        }
        let message = "the call that brought the input ended before it was stored";
        let failure = Failure { code: "INPUT_LOST".to_owned(), message: message.to_owned() };
        return abandon(app, job, failure).await;
    };
    match attempts::ask(app, job, true, &record, &inputs, has_room).await? {
        Attempted::Sent(..) => Ok(Found::Sent),
        // a device's message does not wait for a run here: the queue looks at what is left
        Attempted::Platform(job) if has_room => Ok(Found::Nowhere(Box::new(job))),
        Attempted::Platform(job) => {
            // the queue delivers again what takes long; once is enough
            let Some(_run) = app.caches().own_runs.begin(&job.id) else {
                return Ok(Found::Settled);
            };
            let Some(inputs) = jobs::inputs(app, &job).await? else {
                let message = "its inputs are not in the object store any more".to_owned();
                let failure = Failure { code: "INPUT_LOST".to_owned(), message };
                return abandon(app, job, failure).await;
            };
            let (job, token) = own::complete(app, job, true, &record, inputs).await?;
            app.ports.records.durable(token).await?;
            if let Some(chunk) = &job.chunk {
                batch::wake(app, &chunk.batch, &[chunk.number]).await?;
            }
            Ok(Found::Sent)
        }
        Attempted::Changed(_) => Ok(Found::Settled),
        Attempted::Busy(_) | Attempted::Nobody(_) if is_working => Ok(Found::Settled),
        Attempted::Busy(job) | Attempted::Nobody(job) => Ok(Found::Nowhere(Box::new(job))),
    }
}

async fn abandon(app: &App, job: Job, failure: Failure) -> Result<Found> {
    let _ = jobs::apply(app, job, Event::Abandon(failure)).await?;
    Ok(Found::Settled)
}

/// Whether the only device that works on a job has had it for longer than a lease, and than its model
/// usually takes, with patience. Two devices at once are enough.
pub(crate) async fn is_slow(app: &App, job: &Job) -> Result<bool> {
    let mut working = job.working();
    let (Some(only), None) = (working.next(), working.next()) else { return Ok(false) };
    let lease = app.lease();
    let had_ms = app.now_us().saturating_sub(only.sent_us) / 1000;
    // a chunk is looked at only when nothing else waits
    let least_ms = if job.chunk.is_some() { lease.hedge_floor_ms } else { lease.lease_ms };
    if !job.may_try(lease) || had_ms < least_ms {
        return Ok(false);
    }
    match models::find_pinned(app, &job.customer, &job.model).await {
        Ok(record) => {
            let checksum = &record.version.checksum;
            let usual = match &job.chunk {
                None => usual::of(app, checksum),
                Some(chunk) => {
                    // of a model that nobody knows yet nothing is slow
                    let input = usual::of_stacked(app, checksum);
                    input.map_or(Some(f64::MAX), |ms| Some(ms * f64::from(chunk.runs())))
                }
            };
            Ok(had_ms >= lease.patience_ms(usual))
        }
        Err(Error::NoModel(_)) => Ok(false),
        Err(error) => Err(error),
    }
}
