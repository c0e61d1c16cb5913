//! The platform's own device: the model runs inside the calling function, and the job is written
//! once, with its result.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::job::{
    self, Attempt, Event, Failure, Job, KEPT_SECONDS, Outcome, Output, State, Tensors,
};
use ports::{Condition, Token};
use protocol::tensor::Named;
use serde::{Deserialize, Serialize};

use super::{MAX_OUTPUT_BYTES, too_large};
use crate::{
    App, Engine, Error, OWN_DEVICE, Ran, Result, attempts, jobs,
    models::{self, Record},
    table, tensors,
};

/// Results up to this size live in the job's item; larger ones, up to the next bound, beside it;
/// the rest in the object store. In bytes of JSON.
const MAX_IN_ITEM: usize = 512;
const MAX_BESIDE: usize = 64 * 1024;

/// Runs the job here and stores its end. If somebody else ended it meanwhile, that is what counts,
/// and what is answered; so it is if the job was not `recorded`, and now somebody else's is.
pub(crate) async fn complete(
    app: &App,
    mut job: Job,
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
    let ran = match &job.chunk {
        None => run(app, record, inputs).await?.map(|ran| (ran, 0)),
        Some(_) => run_stacked(app, record, inputs).await?,
    };
    let ended = match ran {
        Ok((ran, failed)) => Ok(Outcome {
            fence: attempt.fence.clone(),
            result: keep(app, &job.id, &attempt.fence, &ran.outputs).await?,
            failed,
            queue_ms: ran.queue_ms,
            compute_ms: ran.compute_ms,
            cpu_ms: ran.compute_ms,
            gpu_ms: 0.0,
        }),
        Err(failure) => Err(failure),
    };
    loop {
        let Some(next) = after(app, &job, &attempt, &ended) else {
            return Ok((job, Token::LATEST));
        };
        let condition = if recorded { Condition::Version(job.version) } else { Condition::Absent };
        match jobs::store(app, &next, condition).await? {
            Ok(token) => {
                attempts::settle(app, &next);
                if next.state == State::Completed {
                    let others: Vec<_> = job.working().cloned().collect();
                    jobs::stop_working(app, &next, &others).await;
                }
                return Ok((next, token));
            }
            Err(Some(old)) => job = table::decode(old)?,
            Err(None) => return Err(Error::no_job(&job.id)),
        }
        if !recorded {
            return Ok((job, Token::LATEST));
        }
    }
}

/// The job after its attempt here; `None` when it takes none any more.
fn after(
    app: &App,
    job: &Job,
    attempt: &Attempt,
    ended: &std::result::Result<Outcome, Failure>,
) -> Option<Job> {
    let assign = Event::Assign(attempt.clone());
    let mut next = job.decide(assign, app.now_us(), app.lease()).ok()?.job;
    match ended {
        Ok(outcome) => job::finish(outcome.clone(), app.now_us()).apply(&mut next),
        Err(failure) => {
            let (fence, failure) = (attempt.fence.clone(), failure.clone());
            let event = Event::Failed { fence, failure, retryable: false };
            next = next.decide(event, app.now_us(), app.lease()).ok()?.job;
        }
    }
    Some(next)
}

/// Which jobs that nobody attends run here now: what asks for a run may be delivered again during it.
#[derive(Clone, Default)]
pub(crate) struct Runs(Arc<Mutex<HashSet<String>>>);

impl Runs {
    /// The run of a job, until the answer is dropped; `None` while there is one.
    pub(crate) fn begin(&self, job: &str) -> Option<Run> {
        let begun = self.lock().insert(job.to_owned());
        begun.then(|| Run { runs: self.clone(), job: job.to_owned() })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One run.
pub(crate) struct Run {
    runs: Runs,
    job: String,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.runs.lock().remove(&self.job);
    }
}

/// Runs a piece of a batch; with how many of its requests failed.
async fn run_stacked(
    app: &App,
    record: &Record,
    inputs: Vec<Named>,
) -> Result<std::result::Result<(Ran, u32), Failure>> {
    if let Err(failure) = ready(app, record).await? {
        return Ok(Err(failure));
    }
    let ran = engine(app)?.run_stacked(&record.version.checksum, inputs).await;
    Ok(ran.map_err(failed).and_then(|(ran, failed)| within(ran).map(|ran| (ran, failed))))
}

/// The inner error is why the job fails.
async fn run(
    app: &App,
    record: &Record,
    inputs: Vec<Named>,
) -> Result<std::result::Result<Ran, Failure>> {
    if let Err(failure) = ready(app, record).await? {
        return Ok(Err(failure));
    }
    let ran = engine(app)?.run(&record.version.checksum, inputs).await;
    Ok(ran.map_err(failed).and_then(within))
}

fn engine(app: &App) -> Result<&Arc<dyn Engine>> {
    app.engine().ok_or_else(|| Error::internal("there is no own device"))
}

fn failed(message: String) -> Failure {
    Failure { code: "MODEL_FAILED".to_owned(), message }
}

/// Outputs that are not too large.
fn within(ran: Ran) -> std::result::Result<Ran, Failure> {
    let bytes: usize = ran.outputs.iter().map(|named| named.tensor.data.len()).sum();
    if bytes > MAX_OUTPUT_BYTES { Err(failed(too_large(bytes))) } else { Ok(ran) }
}

/// Loads the model, if it is not; the inner error is why it cannot be.
async fn ready(app: &App, record: &Record) -> Result<std::result::Result<(), Failure>> {
    let (engine, version) = (engine(app)?, &record.version);
    if !engine.has(&version.checksum) {
        let Some(bytes) = app.ports.blobs.get(&version.blob, None).await? else {
            return Ok(Err(models::deleted(&record.head.id)));
        };
        if let Err(message) = engine.load(&version.checksum, bytes).await {
            return Ok(Err(failed(message)));
        }
    }
    Ok(Ok(()))
}

async fn keep(app: &App, job: &str, fence: &str, outputs: &[Named]) -> Result<Output> {
    if attempts::encoded_len(outputs) > MAX_BESIDE {
        let key = attempts::outputs_key(job, fence);
        return Ok(Output::Blob(tensors::store(app, key, outputs).await?));
    }
    keep_inline(app, job, fence, outputs).await
}

/// A result that lies beside its job.
#[derive(Serialize, Deserialize)]
pub(super) struct Beside {
    /// The wire form of the tensors.
    pub(super) outputs: Tensors,
    /// Epoch second after which the item may go: not before its job's.
    #[serde(default)]
    expires_at: u64,
}

/// Keeps the wire form of a result in the job's item, or beside it. The first of an attempt stays,
/// whatever its device sends again.
pub(crate) async fn keep_inline(
    app: &App,
    job: &str,
    fence: &str,
    outputs: &[Named],
) -> Result<Output> {
    let outputs = Tensors::encode(&outputs).map_err(Error::internal)?;
    if outputs.text().len() <= MAX_IN_ITEM {
        return Ok(Output::Inline(outputs));
    }
    let deadline = (app.now_ms() + app.lease().deadline_max_ms) / 1000;
    let row = Beside { outputs, expires_at: deadline + 1 + KEPT_SECONDS };
    let records = &*app.ports.records;
    // that there is one already is no fault
    let _ = table::store(records, table::result(job, fence), &row, Condition::Absent).await?;
    Ok(Output::Beside)
}
