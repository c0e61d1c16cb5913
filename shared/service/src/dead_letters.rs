//! Messages that failed too often and were put aside: what they are about, and another try for them.

use std::time::Duration;

use ports::{Action, Message};
use protocol::rest::admin::{DeadLetter, DeadLetters, Redriven};
use serde_json::Value;

use crate::{
    App, BATCH_QUEUE, Error, Result, SESSIONS_QUEUE, UPLOADS_QUEUE, WORK_QUEUE, batch, jobs,
};

/// The queues that have dead letters.
const QUEUES: [&str; 4] = [WORK_QUEUE, BATCH_QUEUE, SESSIONS_QUEUE, UPLOADS_QUEUE];

/// What a function may do that gives them another try.
pub const REDRIVES: &[Action] = &[
    Action::Redrive(WORK_QUEUE),
    Action::Redrive(BATCH_QUEUE),
    Action::Redrive(SESSIONS_QUEUE),
    Action::Redrive(UPLOADS_QUEUE),
];

/// How long a letter is hidden from others while it is looked at or moved.
const HIDDEN: Duration = Duration::from_secs(30);

/// The most letters that are shown of a queue; SQS gives no more at a time.
const SHOWN: usize = 10;

/// The most letters that are moved at a time.
const MOVED: usize = 1_000;

/// Some of the dead letters of each queue, with what they are about.
pub async fn list(app: &App) -> Result<DeadLetters> {
    let mut letters = Vec::new();
    for queue in QUEUES {
        for Message { id, receipt, body, .. } in receive(app, queue).await? {
            let about = about(app, &body).await?;
            letters.push(DeadLetter { queue: queue.to_owned(), id, body, about });
            app.ports.queues.release(&dead(queue), &receipt, Duration::ZERO).await?;
        }
    }
    Ok(DeadLetters { letters })
}

/// Puts dead letters of a queue, or of all, back into it; at most a thousand of each.
///
/// # Errors
/// `Invalid` for a queue that there is not.
pub async fn redrive(app: &App, queue: Option<&str>) -> Result<Redriven> {
    if let Some(queue) = queue.filter(|queue| !QUEUES.contains(queue)) {
        let message = format!("`{queue}` is no queue; there are {}", QUEUES.join(", "));
        return Err(Error::invalid("queue", message));
    }
    let mut moved = 0;
    for name in QUEUES.into_iter().filter(|name| queue.is_none_or(|queue| queue == *name)) {
        let mut of_this = 0;
        while of_this < MOVED {
            let letters = receive(app, name).await?;
            if letters.is_empty() {
                break;
            }
            for Message { receipt, body, .. } in letters {
                // first there, then not here any more: a crash in between delivers it twice
                app.ports.queues.send(name, &body, Duration::ZERO).await?;
                app.ports.queues.delete(&dead(name), &receipt).await?;
                of_this += 1;
            }
        }
        moved += of_this;
    }
    Ok(Redriven { moved: moved as u64 })
}

async fn receive(app: &App, queue: &str) -> Result<Vec<Message>> {
    Ok(app.ports.queues.receive(&dead(queue), SHOWN, HIDDEN, Duration::ZERO).await?)
}

fn dead(queue: &str) -> String {
    format!("{queue}-dead")
}

/// What became of what a message names.
async fn about(app: &App, body: &Value) -> Result<Option<String>> {
    let (id, state, failure) = if let Some(id) = body["job"].as_str() {
        let Some(job) = jobs::load(app, id).await? else { return Ok(Some(gone(id))) };
        let last = job.attempts.iter().rev().find_map(|attempt| attempt.end.as_ref());
        let reason = job.failure.map(|failure| failure.message);
        (id, job.state, reason.or(last.map(|end| end.reason.clone())))
    } else if let Some(id) = body["batch"].as_str() {
        let Some(batch) = batch::load(app, id).await? else { return Ok(Some(gone(id))) };
        (id, batch.state, batch.failure.map(|failure| failure.message))
    } else {
        return Ok(None);
    };
    let reason = failure.map(|reason| format!(": {reason}")).unwrap_or_default();
    Ok(Some(format!("{id} is {}{reason}", state.name())))
}

fn gone(id: &str) -> String {
    format!("{id} is not there any more")
}
