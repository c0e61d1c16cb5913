//! The platform's own device: the model runs inside the calling function, and the job is written
//! once, with its result.

use domain::job::{
    self, Attempt, Event, Failure, Job, KEPT_SECONDS, Outcome, Output, State, StoredFile,
};
use ports::{Checksum, Condition, Token};
use protocol::tensor::{self, Named};
use serde::{Deserialize, Serialize};

use crate::{App, Error, OWN_DEVICE, Ran, Result, attempts, jobs, models::Record, table};

/// Results up to this size live in the job's item; larger ones, up to the next bound, beside it;
/// the rest in the object store. In bytes of JSON.
const MAX_IN_ITEM: usize = 512;
const MAX_BESIDE: usize = 64 * 1024;

/// Runs the job here and stores its end. If somebody else finished it meanwhile, that is what
/// counts, and what is answered.
pub(crate) async fn complete(
    app: &App,
    job: Job,
    recorded: bool,
    record: &Record,
    inputs: Vec<Named>,
) -> Result<(Job, Token)> {
    let attempt = Attempt {
        fence: attempts::new_fence(app),
        device: OWN_DEVICE.to_owned(),
        session: OWN_DEVICE.to_owned(),
        sent_us: app.now_us(),
        end: None,
    };
    let fence = attempt.fence.clone();
    let before = job.version;
    let mut next =
        job.decide(Event::Assign(attempt), app.now_us(), app.lease()).map_err(Error::internal)?.job;
    match run(app, record, inputs).await? {
        Ok(ran) => {
            let result = keep(app, &next.id, &fence, &ran.outputs).await?;
            let compute_ms = ran.compute_ms;
            let outcome = Outcome {
                fence,
                result,
                queue_ms: ran.queue_ms,
                compute_ms,
                cpu_ms: compute_ms,
                gpu_ms: 0.0,
            };
            job::finish(outcome, app.now_us()).apply(&mut next);
        }
        Err(message) => {
            let failure = Failure { code: "MODEL_FAILED".to_owned(), message };
            let event = Event::Failed { fence, failure, retryable: false };
            next = next.decide(event, app.now_us(), app.lease()).map_err(Error::internal)?.job;
        }
    }
    let condition = if recorded { Condition::Version(before) } else { Condition::Absent };
    match table::store(&*app.ports.records, table::job(&next.id), &next, condition).await? {
        Ok(token) => {
            if next.state.is_terminal() && next.state == State::Completed {
                let others: Vec<_> = job.working().cloned().collect();
                jobs::stop_working(app, &next, &others).await;
            }
            Ok((next, token))
        }
        Err(old) => Ok((table::decode(old.unwrap_or_default())?, Token::default())),
    }
}

/// The inner error is a sentence for the model's owner.
async fn run(
    app: &App,
    record: &Record,
    inputs: Vec<Named>,
) -> Result<std::result::Result<Ran, String>> {
    let engine = app.engine().ok_or_else(|| Error::internal("there is no own device"))?;
    let version = &record.newest;
    if !engine.has(&version.checksum) {
        let Some(bytes) = app.ports.blobs.get(&version.blob, None).await? else {
            return Ok(Err("the model was deleted".to_owned()));
        };
        if let Err(message) = engine.load(&version.checksum, bytes).await {
            return Ok(Err(message));
        }
    }
    Ok(engine.run(&version.checksum, inputs).await)
}

async fn keep(app: &App, job: &str, fence: &str, outputs: &[Named]) -> Result<Output> {
    if attempts::encoded_len(outputs) > MAX_BESIDE {
        let file = tensor::to_safetensors(outputs);
        let key = attempts::outputs_key(job, fence);
        let checksum = Checksum::of(&file).to_string();
        let stored = StoredFile { key: key.clone(), checksum, bytes: file.len() as u64 };
        app.ports.blobs.put(&key, file).await?;
        return Ok(Output::Blob(stored));
    }
    keep_text(app, job, fence, serde_json::to_string(outputs).map_err(Error::internal)?).await
}

/// A result that lies beside its job.
#[derive(Serialize, Deserialize)]
pub(super) struct Beside {
    /// The wire form of the tensors.
    pub(super) outputs: String,
    /// Epoch second after which the item may go: not before its job's.
    #[serde(default)]
    expires_at: u64,
}

/// Keeps the wire form of a result in the job's item, or beside it. The first of an attempt stays,
/// whatever its device sends again.
pub(crate) async fn keep_text(app: &App, job: &str, fence: &str, text: String) -> Result<Output> {
    if text.len() <= MAX_IN_ITEM {
        return Ok(Output::Inline(text));
    }
    let deadline = (app.now_ms() + app.lease().deadline_max_ms) / 1000;
    let row = Beside { outputs: text, expires_at: deadline + 1 + KEPT_SECONDS };
    let records = &*app.ports.records;
    // that there is one already is no fault
    let _ = table::store(records, table::result(job, fence), &row, Condition::Absent).await?;
    Ok(Output::Beside)
}
