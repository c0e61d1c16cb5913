//! What devices answer: done, failed, declined. Every one of these may come twice, late, or after
//! the attempt was replaced.

use domain::job::{self, Event, Failure, Job, Outcome, Output, Refusal, StoredFile};
use ports::{Condition, Item, Write};
use protocol::socket::{self, DeclineReason, Payload, TaskAck, TaskDeclined, TaskDone, TaskFailed};

use crate::{
    App, Result, WORK_QUEUE, attempts, inference::own, jobs, parked, sessions::Connection, table,
};

/// A result: applied if its fence is live, in one write that needs no read.
pub async fn done(app: &App, connection: &Connection, message: TaskDone) -> Result<()> {
    let TaskDone { task_id, fence, outputs, timings_ms, usage, .. } = message;
    let result = match outputs {
        Payload::Inline(tensors) => {
            let text = serde_json::to_string(&tensors).map_err(crate::Error::internal)?;
            own::keep_text(app, &task_id, &fence, text).await?
        }
        Payload::Blob(blob) => {
            let key = attempts::outputs_key(&task_id, &fence);
            let stored = app.ports.blobs.head(&key).await?;
            if stored.is_none_or(|stored| stored.size != blob.bytes) {
                let failure = Failure {
                    code: "RESULT_MISSING".to_owned(),
                    message: "the device did not store the result that it announced".to_owned(),
                };
                return failed_with(app, connection, &task_id, fence, failure, true).await;
            }
            Output::Blob(StoredFile { key, checksum: blob.checksum, bytes: blob.bytes })
        }
    };
    let outcome = Outcome {
        fence: fence.clone(),
        result,
        queue_ms: timings_ms.queue,
        compute_ms: timings_ms.compute,
        cpu_ms: usage.cpu_ms,
        gpu_ms: usage.gpu_ms,
    };
    let set = table::encode(&job::finish(outcome, app.now_us()))?;
    let condition = Condition::Fence(fence.clone());
    let write = Write::update(table::job(&task_id), set, condition);
    let accepted = match table::unless_failed(app.ports.records.write(write).await)? {
        Ok(_) => true,
        Err(old) => was_applied(old, &fence),
    };
    acknowledge(app, connection, task_id, fence, accepted).await;
    parked::pull(app, &connection.customer, 1).await
}

/// Whether the result was applied before: the device sent it again.
fn was_applied(old: Option<Item>, fence: &str) -> bool {
    let job: Option<Job> = old.and_then(|item| table::decode(item).ok());
    job.and_then(|job| job.outcome).is_some_and(|outcome| outcome.fence == fence)
}

/// The attempt did not work.
pub async fn failed(app: &App, connection: &Connection, message: TaskFailed) -> Result<()> {
    let TaskFailed { task_id, fence, error, .. } = message;
    let failure = Failure { code: error.code, message: error.message };
    failed_with(app, connection, &task_id, fence, failure, error.retryable).await
}

async fn failed_with(
    app: &App,
    connection: &Connection,
    task_id: &str,
    fence: String,
    failure: Failure,
    retryable: bool,
) -> Result<()> {
    let event = Event::Failed { fence: fence.clone(), failure, retryable };
    let accepted = ended(app, task_id, event).await?;
    acknowledge(app, connection, task_id.to_owned(), fence, accepted).await;
    parked::pull(app, &connection.customer, 1).await
}

/// The device does not take the attempt.
pub async fn declined(app: &App, connection: &Connection, message: TaskDeclined) -> Result<()> {
    let TaskDeclined { task_id, fence, reason, .. } = message;
    let reason = match reason {
        DeclineReason::Busy => "the device was busy",
        DeclineReason::Unsupported => "the device cannot run this model",
        DeclineReason::Policy => "the device takes no work now",
    };
    let event = Event::Declined { fence: fence.clone(), reason: reason.to_owned() };
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
        let body = serde_json::json!({ "job": job.id });
        app.ports.queues.send(WORK_QUEUE, &body, std::time::Duration::ZERO).await?;
    }
    Ok(())
}

/// Lets the device forget the result. If this is lost, the device sends the result again.
async fn acknowledge(
    app: &App,
    connection: &Connection,
    task_id: String,
    fence: String,
    accepted: bool,
) {
    let ack = socket::encode(&TaskAck { task_id, fence, accepted });
    if let Err(cause) = app.ports.sockets.send(&connection.id, ack).await {
        tracing::debug!(%cause, connection = connection.id, "an acknowledgement was not sent");
    }
}
