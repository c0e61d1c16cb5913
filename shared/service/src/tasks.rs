//! What devices answer: done, failed, declined. Every one of these may come twice, late, or after
//! the attempt was replaced.

use domain::{
    job::{self, Event, Failure, Job, Outcome, Output, Refusal},
    name,
};
use ports::{Condition, Write};
use protocol::socket::{DeclineReason, TaskDeclined, TaskDone, TaskFailed};

use crate::{
    App, Error, Result, attempts, batch, jobs, models, parked,
    sessions::{self, Connection},
    table, usual,
};

mod acks;
mod results;

pub(crate) use acks::Acks;
use acks::acknowledge;
use results::Brought;
pub(crate) use results::{Ran, note};

/// The most processor time of a result: a thousand cores for as long as a job may live.
const MAX_CORES: f64 = 1024.0;

/// A result: applied if its fence is live, in one write that needs no read.
pub async fn done(app: &App, connection: &Connection, message: TaskDone) -> Result<()> {
    let TaskDone { task_id, fence, outputs, timings_ms, usage, .. } = message;
    let sent = attempts::answered(app, connection, &fence);
    let (result, failed) = match results::take(app, &task_id, &fence, outputs).await? {
        Brought::Kept(result, failed) => (result, failed),
        Brought::Bad { failure, retryable } => {
            let failed = failed_with(app, connection, &task_id, fence, failure, retryable);
            return Box::pin(failed).await;
        }
        Brought::Judged(won) => {
            acknowledge(app, connection, task_id.clone(), fence, won).await;
            return next(app, connection, &task_id).await;
        }
    };
    let file = match &result {
        Output::Blob(file) => Some(file.clone()),
        Output::Inline(_) | Output::Beside => None,
    };
    let longest = app.lease().deadline_max_ms as f64;
    let outcome = Outcome {
        fence: fence.clone(),
        result,
        failed,
        queue_ms: within(timings_ms.queue, longest),
        compute_ms: within(timings_ms.compute, longest),
        cpu_ms: within(usage.cpu_ms, longest * MAX_CORES),
        gpu_ms: within(usage.gpu_ms, longest * MAX_CORES),
    };
    let set = table::encode(&job::finish(outcome, app.now_us()))?;
    let condition = Condition::Fence(fence.clone());
    let write = Write::update(table::job(&task_id), set, condition);
    let (accepted, counts) = match table::unless_failed(app.ports.records.write(write).await)? {
        Ok(_) => (true, true),
        Err(old) => {
            // it may have been applied before: the device sent it again
            let job: Option<Job> = old.and_then(|item| table::decode(item).ok());
            let same = |job: &Job| {
                let result = job.outcome.as_ref().map(|outcome| &outcome.result);
                matches!((result, &file), (Some(Output::Blob(a)), Some(b)) if a == b)
            };
            let won = job.as_ref().is_some_and(|job| results::won(job, &fence));
            (won, job.as_ref().is_some_and(same))
        }
    };
    if let (Some(sent), true) = (sent, accepted) {
        usual::learn(app, &sent, app.now_us(), timings_ms.queue);
    }
    if let Some(file) = &file {
        results::tidy(app, &task_id, &fence, file, counts).await;
    }
    acknowledge(app, connection, task_id.clone(), fence, accepted).await;
    next(app, connection, &task_id).await
}

/// The device has room for another task like this one.
async fn next(app: &App, connection: &Connection, task: &str) -> Result<()> {
    let Some((batch, number)) = name::chunk_of(task) else {
        return parked::pull(app, &connection.customer, 1).await;
    };
    batch::pull(app, &connection.customer, 1).await?;
    // more is to be cut, or this was one of the last; otherwise the feed tells of it in a while
    if parked::waiting_chunks(app, batch, 1).await?.is_empty() {
        batch::wake(app, batch, &[number]).await?;
    }
    Ok(())
}

/// What a device says it took, as far as it can be true.
fn within(ms: f64, most: f64) -> f64 {
    // a NaN becomes 0
    ms.max(0.0).min(most)
}

/// The attempt did not work.
pub async fn failed(app: &App, connection: &Connection, message: TaskFailed) -> Result<()> {
    let TaskFailed { task_id, fence, error, .. } = message;
    let (failure, retryable) = match deleted(app, &task_id).await? {
        // no device fetches it any more
        Some(failure) => (failure, false),
        None => (Failure { code: error.code, message: error.message }, error.retryable),
    };
    failed_with(app, connection, &task_id, fence, failure, retryable).await
}

/// Why the job cannot be done any more, if its model was deleted.
async fn deleted(app: &App, task: &str) -> Result<Option<Failure>> {
    let Some(job) = jobs::load(app, task).await? else { return Ok(None) };
    match models::find_pinned(app, &job.customer, &job.model).await {
        Err(Error::NoModel(_)) => Ok(Some(models::deleted(&job.model.id))),
        found => found.map(|_| None),
    }
}

async fn failed_with(
    app: &App,
    connection: &Connection,
    task_id: &str,
    fence: String,
    failure: Failure,
    retryable: bool,
) -> Result<()> {
    attempts::answered(app, connection, &fence);
    let event = Event::Failed { fence: fence.clone(), failure, retryable };
    let accepted = ended(app, task_id, event).await?;
    acknowledge(app, connection, task_id.to_owned(), fence, accepted).await;
    next(app, connection, task_id).await
}

/// The device does not take the attempt.
pub async fn declined(app: &App, connection: &Connection, message: TaskDeclined) -> Result<()> {
    let TaskDeclined { task_id, fence, reason, .. } = message;
    if reason == DeclineReason::Policy {
        sessions::mark_draining(app, connection).await?;
    }
    let text = match reason {
        DeclineReason::Busy => "the device was busy",
        DeclineReason::Unsupported => "the device cannot run this model",
        DeclineReason::Policy => "the device takes no work now",
    };
    attempts::answered(app, connection, &fence);
    let (of, text) = (fence.clone(), text.to_owned());
    let event = match reason {
        DeclineReason::Busy => Event::Declined { fence: of, reason: text },
        _ => Event::Refused { fence: of, reason: text },
    };
    let accepted = ended(app, &task_id, event).await?;
    acknowledge(app, connection, task_id, fence, accepted).await;
    Ok(())
}

/// Applies the end of an attempt; a job that nobody attends goes back to the queue.
async fn ended(app: &App, task: &str, event: Event) -> Result<bool> {
    let Some(job) = jobs::load(app, task).await? else { return Ok(false) };
    match jobs::apply(app, job, event).await? {
        Ok((job, _)) => {
            requeue(app, &job).await?;
            Ok(true)
        }
        Err((_, refusal)) => Ok(refusal == Refusal::Repeated),
    }
}

/// Puts a job that nobody works on and nobody attends back into the queue.
pub(crate) async fn requeue(app: &App, job: &Job) -> Result<()> {
    if job.state == job::State::Queued && !job.is_attended(app.now_us()) {
        jobs::enqueue(app, &job.id, std::time::Duration::ZERO).await?;
    }
    Ok(())
}
