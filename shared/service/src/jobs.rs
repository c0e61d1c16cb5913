//! Jobs in the table: load, apply an event, queue.

use std::time::Duration;

use domain::job::{Attempt, Decision, Event, Input, Job, Refusal};
use ports::{Action, Condition, Item, Token, Write};
use protocol::{
    socket::{self, TaskCancel},
    tensor::Named,
};

use crate::{App, BATCH_QUEUE, Error, Result, WORK_QUEUE, attempts, table, tensors};

mod dispatch;

pub use dispatch::dispatch;
pub(crate) use dispatch::{Found, find_device, is_slow};

/// What a function may do that can come to [`dispatch`]: find a device, send the task, take it back.
pub const DISPATCHES: &[Action] = &[
    Action::GetRecords,
    Action::QueryRecords,
    Action::WriteRecords,
    Action::DeleteRecords,
    Action::ReadBlobs,
    Action::WriteBlobs,
    Action::SendTo(WORK_QUEUE),
    Action::SendTo(BATCH_QUEUE),
    Action::PostToSockets,
];

/// A job, whoever it belongs to.
pub async fn load(app: &App, id: &str) -> Result<Option<Job>> {
    if !domain::name::is_id(id, "infer") && domain::name::chunk_of(id).is_none() {
        return Ok(None);
    }
    table::load(&*app.ports.records, &table::job(id)).await
}

/// Writes a job; the old item when the condition did not hold.
pub(crate) async fn store(
    app: &App,
    job: &Job,
    condition: Condition,
) -> Result<std::result::Result<Token, Option<Item>>> {
    // the feed and a waiting call read every job that is written
    table::store_kept(&*app.ports.records, table::job(&job.id), job, condition).await
}

/// Applies an event to the stored job, again if it changed meanwhile. Devices that now work for
/// nothing are told. The inner error is the domain's refusal; nothing was written then.
pub(crate) async fn apply(
    app: &App,
    mut job: Job,
    event: Event,
) -> Result<std::result::Result<(Job, Token), (Job, Refusal)>> {
    loop {
        let decision = match job.decide(event.clone(), app.now_us(), app.lease()) {
            Ok(decision) => decision,
            Err(refusal) => return Ok(Err((job, refusal))),
        };
        let Decision { job: next, stop } = decision;
        match store(app, &next, Condition::Version(job.version)).await? {
            Ok(token) => {
                attempts::settle(app, &next);
                stop_working(app, &next, &stop).await;
                return Ok(Ok((next, token)));
            }
            Err(Some(old)) => job = table::decode(old)?,
            Err(None) => return Err(Error::no_job(&job.id)),
        }
    }
}

/// Tells devices that nobody wants their result any more; a device that is gone needs no telling.
pub(crate) async fn stop_working(app: &App, job: &Job, attempts: &[Attempt]) {
    for attempt in attempts {
        let device = match table::load::<domain::device::Device>(
            &*app.ports.records,
            &table::device(&attempt.device),
        )
        .await
        {
            Ok(Some(device)) if device.session == attempt.session => device,
            Ok(_) => continue,
            Err(cause) => {
                tracing::warn!(%cause, job = job.id, "could not tell a device to stop");
                continue;
            }
        };
        let cancel = TaskCancel {
            task_id: job.id.clone(),
            fence: attempt.fence.clone(),
            reason: job.state.name().to_owned(),
        };
        if let Err(cause) =
            app.ports.sockets.send(&device.connection, socket::encode(&cancel)).await
        {
            tracing::debug!(%cause, job = job.id, "a device could not be told to stop");
        }
    }
}

/// Puts a job that nobody attends into the queue, to be looked at after `delay`.
pub(crate) async fn enqueue(app: &App, id: &str, delay: Duration) -> Result<()> {
    let body = serde_json::json!({ "job": id });
    app.ports.queues.send(WORK_QUEUE, &body, delay).await?;
    app.caches().queued.insert(id.to_owned(), app.now_ms() + delay.as_millis() as u64);
    Ok(())
}

/// When this process last put a job into the queue, or for when, in epoch milliseconds.
pub(crate) fn queued_ms(app: &App, id: &str) -> Option<u64> {
    app.caches().queued.get(id)
}

/// Takes a job off the record whose caller is told that nothing came of it: it must not run later.
/// If it ended meanwhile, it stays, and is returned.
pub(crate) async fn strike(app: &App, mut job: Job) -> Result<Option<Job>> {
    loop {
        if job.state.is_terminal() {
            return Ok(Some(job));
        }
        let write = Write::delete(table::job(&job.id), Condition::Version(job.version));
        match table::unless_failed(app.ports.records.write(write).await)? {
            Ok(token) => {
                let working: Vec<_> = job.working().cloned().collect();
                stop_working(app, &job, &working).await;
                job.fences.clear();
                attempts::settle(app, &job);
                app.ports.records.durable(token).await?;
                return Ok(None);
            }
            Err(Some(old)) => job = table::decode(old)?,
            Err(None) => return Ok(None),
        }
    }
}

/// The stored inputs of a job; `None` when only its caller had them.
pub(crate) async fn inputs(app: &App, job: &Job) -> Result<Option<Vec<Named>>> {
    match &job.input {
        Input::Inline(tensors) => {
            serde_json::from_str(tensors.text()).map(Some).map_err(Error::internal)
        }
        Input::Caller => Ok(None),
        Input::Blob(file) => tensors::load(app, file).await,
    }
}
