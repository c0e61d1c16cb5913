//! The messages in which tasks end.

use protocol::{
    socket::{
        Blob, DeclineReason, DeviceTimings, Payload, TaskDeclined, TaskDone, TaskError, TaskFailed,
        Usage, encode,
    },
    tensor::{Named, to_safetensors},
};
use sha2::{Digest, Sha256};

use crate::{
    background::Background,
    desk::{Desk, End, Ids},
    http::{Http, checksum_text},
    report::{Event, Report},
    tasks::Task,
};

/// The longest message that goes over the socket; longer outputs go by reference.
pub(crate) const MAX_FRAME: usize = 28 * 1024;

/// The longest reason that is sent, in characters.
const MAX_REASON: usize = 2000;

/// Why an attempt did not work.
pub(crate) fn failure(code: &str, message: impl Into<String>, retryable: bool) -> TaskError {
    let mut message = message.into();
    if let Some((end, _)) = message.char_indices().nth(MAX_REASON) {
        message.truncate(end);
    }
    TaskError { code: code.to_owned(), message, retryable }
}

/// A `taskDeclined`.
pub(crate) fn declined(ids: &Ids, reason: DeclineReason) -> String {
    let Ids { task_id, attempt, fence } = ids.clone();
    encode(&TaskDeclined { task_id, attempt, fence, reason })
}

/// Where results go.
#[derive(Clone)]
pub(crate) struct Results {
    pub desk: std::sync::Arc<Desk>,
    pub http: Http,
    pub report: std::sync::Arc<Report>,
    pub background: Background,
}

impl Results {
    /// The attempt failed.
    pub(crate) fn fail(&self, ids: &std::sync::Arc<Ids>, error: TaskError) {
        let Ids { task_id, attempt, fence } = (**ids).clone();
        let frame = encode(&TaskFailed { task_id, attempt, fence, error: error.clone() });
        if self.desk.finish(ids, End::Failed, frame) {
            tracing::debug!(task.id = ids.task_id, error.code, error.message, "task failed");
            let task_id = || ids.task_id.clone();
            self.report.tell(Event::TaskFailed {
                task_id: task_id(),
                code: error.code,
                message: error.message,
            });
        }
    }

    /// The task gave outputs: they go in the message when they fit, and apart when they do not.
    pub(crate) fn done(
        &self,
        task: Task,
        outputs: Vec<Named>,
        timings_ms: DeviceTimings,
        usage: Usage,
    ) {
        let about: usize = outputs.iter().map(|output| output.tensor.encoded_len()).sum();
        if about > MAX_FRAME {
            return self.done_apart(task, &outputs, timings_ms, usage);
        }
        let message = done_message(&task.ids, Payload::Inline(outputs), timings_ms, usage);
        let frame = encode(&message);
        match message.outputs {
            Payload::Inline(outputs) if frame.len() > MAX_FRAME => {
                self.done_apart(task, &outputs, timings_ms, usage);
            }
            _ => self.keep(&task, frame),
        }
    }

    fn done_apart(&self, task: Task, outputs: &[Named], timings_ms: DeviceTimings, usage: Usage) {
        let Some(url) = task.outputs_url.clone() else {
            let message = format!(
                "the outputs take {} bytes, too many for a message of {MAX_FRAME}, and there is no `outputs_url` to store them",
                usage.bytes_out
            );
            return self.fail(&task.ids, failure("OUTPUTS_TOO_LARGE", message, false));
        };
        let file = to_safetensors(outputs);
        let results = self.clone();
        self.background.spawn(async move {
            let checksum = checksum_text(Sha256::new_with_prefix(&file));
            let blob = Blob { url: None, checksum, bytes: file.len() as u64 };
            let stored =
                tokio::time::timeout_at(task.deadline.into(), results.http.put(&url, file));
            match stored.await {
                Ok(Ok(())) => {
                    let message = done_message(&task.ids, Payload::Blob(blob), timings_ms, usage);
                    results.keep(&task, encode(&message));
                }
                Ok(Err(cause)) => {
                    let message = format!("the outputs could not be stored: {cause}");
                    results.fail(&task.ids, failure("OUTPUTS_NOT_STORED", message, true));
                }
                Err(_) => results.fail(&task.ids, too_late()),
            }
        });
    }

    fn keep(&self, task: &Task, frame: String) {
        let latency_ms = task.received.elapsed().as_secs_f64() * 1000.0;
        if self.desk.finish(&task.ids, End::Done(latency_ms), frame) {
            self.report.tell(Event::TaskDone { task_id: task.ids.task_id.clone(), latency_ms });
        }
    }
}

/// Nobody waits for the answer any more.
pub(crate) fn too_late() -> TaskError {
    failure("DEADLINE", "its deadline passed before it was done, so it was dropped", false)
}

fn done_message(ids: &Ids, outputs: Payload, timings_ms: DeviceTimings, usage: Usage) -> TaskDone {
    let Ids { task_id, attempt, fence } = ids.clone();
    TaskDone { task_id, attempt, fence, outputs, timings_ms, usage }
}
