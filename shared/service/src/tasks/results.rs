//! What a device brings as a result: judged by what the model promises, and kept where the device
//! cannot reach it any more.

use std::sync::Arc;

use domain::job::{Chunk, Failure, Job, Output, StoredFile};
use ports::Checksum;
use protocol::{
    socket::{Blob, Payload},
    tensor::{self, Answers, Named},
};

use crate::{
    App, Error, Result, attempts,
    inference::{self, own},
    jobs,
    models::{self, Record},
};

/// The largest file of outputs that is taken: what outputs may hold, and the header before them.
const MAX_FILE: u64 = (inference::MAX_OUTPUT_BYTES as u64) + (1 << 20);

/// What a result came to, before its fence is judged.
pub(super) enum Brought {
    /// It is kept, and may count; of a piece of a batch with how many of its requests failed.
    Kept(Output, u32),
    /// It cannot count; whether another device may do better.
    Bad { failure: Failure, retryable: bool },
    /// The attempt is over: whether it was this that won.
    Judged(bool),
}

/// What an attempt runs.
#[derive(Clone)]
pub(crate) struct Ran {
    job: String,
    record: Arc<Record>,
    /// How many requests it is, if it is a piece of a batch.
    stacked: Option<u32>,
}

impl Ran {
    fn new(job: &Job, record: Arc<Record>) -> Self {
        Self { job: job.id.clone(), record, stacked: job.chunk.as_ref().map(Chunk::runs) }
    }
}

/// Remembers what a new attempt runs, so that its result needs no read.
pub(crate) fn note(app: &App, job: &Job, fence: &str, record: &Arc<Record>) {
    app.caches().sent.insert(fence.to_owned(), Ran::new(job, record.clone()));
}

/// Looks at a result and keeps it.
pub(super) async fn take(app: &App, task: &str, fence: &str, outputs: Payload) -> Result<Brought> {
    let sent = match outputs {
        Payload::Inline(_) => app.caches().sent.get(fence).filter(|ran| ran.job == task),
        // a file is fetched only while it is wanted
        Payload::Blob(_) => None,
    };
    let ran = match sent {
        Some(ran) => ran,
        None => match Box::pin(expected(app, task, fence)).await? {
            Ok(ran) => ran,
            Err(brought) => return Ok(brought),
        },
    };
    match outputs {
        Payload::Inline(outputs) => match ran.judge(&outputs) {
            Ok(failed) => {
                Ok(Brought::Kept(own::keep_inline(app, task, fence, &outputs).await?, failed))
            }
            Err(message) => Ok(bad(message)),
        },
        Payload::Blob(blob) => Box::pin(take_file(app, task, fence, &blob, &ran)).await,
    }
}

/// The model that an attempt runs, by way of its job; or why there is nothing to look at.
async fn expected(app: &App, task: &str, fence: &str) -> Result<std::result::Result<Ran, Brought>> {
    let job = match jobs::load(app, task).await? {
        Some(job) if job.fences.contains_key(fence) => job,
        job => return Ok(Err(Brought::Judged(job.is_some_and(|job| won(&job, fence))))),
    };
    match models::find_pinned(app, &job.customer, &job.model).await {
        Ok(record) => Ok(Ok(Ran::new(&job, record))),
        Err(Error::NoModel(_)) => {
            let failure = models::deleted(&job.model.id);
            Ok(Err(Brought::Bad { failure, retryable: false }))
        }
        Err(error) => Err(error),
    }
}

/// Whether the job has its result from this attempt.
pub(super) fn won(job: &Job, fence: &str) -> bool {
    job.outcome.as_ref().is_some_and(|outcome| outcome.fence == fence)
}

impl Ran {
    /// Whether these are outputs of what ran: how many of the requests in a piece of a batch failed; a
    /// sentence when they are not.
    fn judge(&self, outputs: &[Named]) -> std::result::Result<u32, String> {
        let Some(count) = self.stacked else { return fit(&self.record, outputs).map(|()| 0) };
        let answers = Answers::from_tensors(outputs.to_vec(), count as usize)?;
        answers.distinct().try_for_each(|outputs| fit(&self.record, &outputs))?;
        Ok(answers.failed().len() as u32)
    }
}

/// Whether these are the outputs that the model gives; a sentence when not.
fn fit(record: &Record, outputs: &[Named]) -> std::result::Result<(), String> {
    let specs = &record.version.outputs;
    for spec in specs {
        let mut found = outputs.iter().filter(|named| named.name == spec.name);
        let (Some(Named { tensor, .. }), None) = (found.next(), found.next()) else {
            return Err(format!("expected one output `{}`", spec.name));
        };
        if tensor.dtype != spec.dtype || !spec.fits(&tensor.shape) {
            return Err(format!(
                "its output `{}` is {} of shape {:?}, the model's is {} of shape {}",
                spec.name,
                tensor.dtype,
                tensor.shape,
                spec.dtype,
                spec.shape_text()
            ));
        }
    }
    match outputs.iter().find(|named| !specs.iter().any(|spec| spec.name == named.name)) {
        Some(Named { name, .. }) => {
            let name: String = name.chars().take(80).collect();
            Err(format!("the model has no output `{name}`"))
        }
        None => Ok(()),
    }
}

fn bad(message: String) -> Brought {
    let message = format!("the device's result is not what the model gives: {message}");
    let failure = Failure { code: "BAD_RESULT".to_owned(), message };
    Brought::Bad { failure, retryable: true }
}

/// Takes a file that the device stored. What is judged is kept under a key of its own: the device
/// may write to the announced place again for as long as its URL is good.
async fn take_file(app: &App, task: &str, fence: &str, blob: &Blob, ran: &Ran) -> Result<Brought> {
    if blob.bytes > MAX_FILE {
        let message = inference::too_large(blob.bytes);
        let failure = Failure { code: "RESULT_TOO_LARGE".to_owned(), message };
        return Ok(Brought::Bad { failure, retryable: false });
    }
    let announced = attempts::outputs_key(task, fence);
    let bytes = app.ports.blobs.get(&announced, Some(0..blob.bytes)).await?;
    let bytes = bytes.filter(|bytes| Checksum::of(bytes).to_string() == blob.checksum);
    let Some(bytes) = bytes else {
        let message = "the device did not store the result that it announced".to_owned();
        let failure = Failure { code: "RESULT_MISSING".to_owned(), message };
        return Ok(Brought::Bad { failure, retryable: true });
    };
    let judged = match tensor::from_safetensors(&bytes) {
        Ok(outputs) => ran.judge(&outputs),
        Err(error) => Err(error.to_string()),
    };
    let failed = match judged {
        Ok(failed) => failed,
        Err(message) => return Ok(bad(message)),
    };
    // the name holds the checksum, so that a second result of the same attempt is another file
    let key = format!("results/{task}/{fence}/{}", Checksum::of(&bytes).hex());
    app.ports.blobs.put(&key, bytes).await?;
    let file = StoredFile { key, checksum: blob.checksum.clone(), bytes: blob.bytes };
    Ok(Brought::Kept(Output::Blob(file), failed))
}

/// Tidies up after a file was judged: what the device announced is not needed any more, and neither
/// is the kept copy unless it is the result that counts. What stays goes with the job.
pub(super) async fn tidy(app: &App, task: &str, fence: &str, file: &StoredFile, counts: bool) {
    let announced = attempts::outputs_key(task, fence);
    let copy = (!counts).then(|| file.key.clone());
    for key in [Some(announced), copy].into_iter().flatten() {
        if let Err(cause) = app.ports.blobs.delete(&key).await {
            tracing::warn!(%cause, key, "a file that nobody needs was not deleted");
        }
    }
}
