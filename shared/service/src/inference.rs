//! Inference: submit, look, cancel.

use std::{sync::Arc, time::Duration};

use domain::{
    job::{Adapted, Event, Input, Job, New, Outcome, Refusal, State, Tensors, Wants},
    model::{Pin, Placement},
};
use ports::{Condition, Token};
use protocol::{
    rest::inference::{self as rest, Accepted, Cancelled, Request},
    tensor::{self, Named, Spec},
};
use serde_json::value::RawValue;

use crate::{
    App, Error, Result, attempts, idempotency, jobs,
    models::{self, Record},
    parked, table, tasks,
};

mod adapt;
pub(crate) mod own;
mod view;
mod wait;

use adapt::Given;
pub use view::show;

/// Inputs up to this size live in the job's item, in bytes of JSON.
const MAX_IN_ITEM: usize = 512;

/// The outputs of one inference hold this much at most, in bytes: as much as a refused request may
/// cost, and enough for the largest usual results (a batch of segmentation masks).
pub(crate) const MAX_OUTPUT_BYTES: usize = 64 << 20;

/// For how much longer than it waits a call looks after its job, in milliseconds: what it takes to
/// let go of it.
const LET_GO_MS: u64 = 5_000;

/// What comes with a request beside its body.
pub struct Call<'a> {
    /// Who pays.
    pub customer: &'a str,
    /// The `Idempotency-Key`.
    pub idempotency_key: Option<&'a str>,
    /// SHA-256 of the body.
    pub body_hash: String,
    /// The caller does not wait.
    pub run_async: bool,
    /// How long the caller waits at most, by header, in milliseconds.
    pub wait_ms: Option<u64>,
}

/// What a submission came to.
pub enum Submitted {
    /// It ended while the caller waited.
    Ended(Box<rest::Job>),
    /// It goes on without the caller.
    Accepted(Accepted),
}

/// A request that was found valid.
struct Prepared {
    job: Job,
    record: Arc<Record>,
    inputs: Vec<Named>,
}

/// Submits one inference; waits for its end unless the call says otherwise.
///
/// # Errors
/// Bad input changes nothing. `NoDevices` when a waiting call finds nothing that could run it.
pub async fn submit(app: &App, call: Call<'_>, request: &Request) -> Result<Submitted> {
    let run_async = call.run_async || request.run_async;
    let wait_ms = (!run_async).then(|| patience(app, &call, request));
    let prepared = prepare(app, &call, request, wait_ms).await?;
    if run_async {
        let placement = prepared.job.wants.placement;
        if let Err(limited) = parked::check_backlog(app, call.customer, placement).await {
            // a repetition has the first answer
            let job = &prepared.job.id;
            if call.idempotency_key.is_none() || jobs::load(app, job).await?.is_none() {
                return Err(limited);
            }
        }
    }
    match wait_ms {
        Some(wait_ms) => wait::run(app, prepared, wait_ms).await,
        None => Box::pin(enqueue(app, prepared)).await,
    }
}

/// A model as it is now, for a job that runs it.
fn pin(record: &Record) -> Pin {
    Pin {
        id: record.head.id.clone(),
        version: record.version.number,
        revision: record.head.revision,
    }
}

/// How long the caller waits, in milliseconds.
fn patience(app: &App, call: &Call, request: &Request) -> u64 {
    let lease = app.lease();
    let asked = call.wait_ms.or(request.options.timeout);
    asked.unwrap_or(lease.sync_default_ms).min(lease.sync_max_ms)
}

async fn prepare(
    app: &App,
    call: &Call<'_>,
    request: &Request,
    wait_ms: Option<u64>,
) -> Result<Prepared> {
    let record = models::find_version(app, call.customer, &request.model_id).await?;
    let lease = app.lease();
    let deadline_ms = request.options.deadline_ms.unwrap_or(lease.deadline_default_ms);
    if !(1..=lease.deadline_max_ms).contains(&deadline_ms) {
        let message = format!("expected 1 to {} milliseconds", lease.deadline_max_ms);
        return Err(Error::invalid("options.deadline_ms", message));
    }
    let instance_type = request.options.instance_type.clone();
    if instance_type.as_deref().is_some_and(|kind| !matches!(kind, "user" | "aws")) {
        return Err(Error::invalid("options.instance_type", "expected `user` or `aws`"));
    }
    let placement = match request.placement.as_deref() {
        None => record.head.placement,
        Some(name) => Placement::parse(name)
            .ok_or_else(|| Error::invalid("placement", "expected `own`, `shared` or `platform`"))?,
    };
    let id = match call.idempotency_key {
        // the same key always means the same job: the job itself is the memory
        Some(key) => {
            let digest = idempotency::fingerprint(&[call.customer, "POST /inference", key]);
            format!("infer_{}", &digest[..32])
        }
        None => app.ports.clock.id("infer"),
    };
    let model = pin(&record);
    let waits = wait_ms.is_some();
    let One { inputs, adapted, by_name } =
        read(app, &record, &model, &request.input, request.raw, waits).await?;
    let new = New {
        id,
        customer: call.customer.to_owned(),
        project: request.project_id.clone(),
        model,
        input: inline(&inputs)?,
        by_name,
        adapted,
        wants: Wants { placement, prefer_gpu: request.options.prefer_gpu, instance_type },
        chunk: None,
        body_hash: call.idempotency_key.map(|_| call.body_hash.clone()),
        attended_ms: wait_ms.map(|wait_ms| wait_ms + LET_GO_MS),
        deadline_ms,
    };
    Ok(Prepared { job: Job::new(new, app.now_us()), record, inputs })
}

/// An input as it is run, and how its result is to be shown.
pub(crate) struct One {
    pub(crate) inputs: Vec<Named>,
    pub(crate) adapted: Option<Adapted>,
    pub(crate) by_name: bool,
}

/// One input of a batch: what is a tensor stays one unless `raw` says otherwise.
///
/// # Errors
/// What is wrong with it, as in a request of its own.
pub(crate) async fn read_one(
    app: &App,
    record: &Record,
    pin: &Pin,
    input: &RawValue,
    raw: Option<bool>,
) -> Result<One> {
    read(app, record, pin, input, raw, false).await
}

async fn read(
    app: &App,
    record: &Record,
    pin: &Pin,
    input: &RawValue,
    raw: Option<bool>,
    waits: bool,
) -> Result<One> {
    let (given, adapted) = adapt::given(app, record, pin, input, raw, waits).await?;
    let is_raw = matches!(given, Given::Tensors);
    let inputs = match given {
        Given::Tensors => read_inputs(record, input)?,
        Given::Made(inputs) => inputs,
    };
    check_outputs(record, &inputs, is_raw)?;
    Ok(One { inputs, adapted, by_name: is_raw && tensor::has_inputs(input) })
}

/// The result of one input of a chunk, and what to know about it.
pub(crate) async fn shown_one(
    app: &App,
    chunk: &Job,
    outputs: Vec<Named>,
) -> Result<(Box<RawValue>, Vec<String>)> {
    let shown = match chunk.adapted {
        Some(adapted) => adapt::shown_one(app, chunk, outputs, adapted).await?,
        None => view::raw_outputs(outputs, chunk.by_name)?,
    };
    Ok((shown.result, shown.warnings))
}

/// What an attempt brought, fetched from where it lies.
pub(crate) async fn stored_outputs(app: &App, job: &Job, outcome: &Outcome) -> Result<Vec<Named>> {
    view::outputs(app, job, &outcome.result, &outcome.fence).await
}

fn read_inputs(record: &Record, input: &RawValue) -> Result<Vec<Named>> {
    let specs = &record.version.inputs;
    let expected: Vec<_> = specs.iter().map(|spec| (spec.name.as_str(), spec.dtype)).collect();
    let inputs = tensor::parse_named(input, &expected)?;
    for (spec, named) in specs.iter().zip(&inputs) {
        if !spec.fits(&named.tensor.shape) {
            let path = match specs.len() {
                1 => "input.shape".to_owned(),
                _ => format!("input.inputs.{}.shape", spec.name),
            };
            let message = format!(
                "the model's input `{}` has shape {}, got {:?}",
                spec.name,
                spec.shape_text(),
                named.tensor.shape
            );
            return Err(Error::invalid(path, message));
        }
    }
    Ok(inputs)
}

/// Refuses inputs whose outputs would be too large; those of open shape are seen when they are there.
fn check_outputs(record: &Record, inputs: &[Named], is_raw: bool) -> Result<()> {
    let batch = attempts::batch(inputs);
    let size = |spec: &Spec| match spec.bytes(batch) {
        None if spec.shape.iter().skip(1).all(Option::is_some) => usize::MAX,
        bytes => bytes.unwrap_or(0),
    };
    let bytes = record.version.outputs.iter().map(size).fold(0, usize::saturating_add);
    if bytes <= MAX_OUTPUT_BYTES {
        return Ok(());
    }
    let path = match inputs {
        _ if !is_raw => "input".to_owned(),
        [first, _, ..] => format!("input.inputs.{}.shape", first.name),
        _ => "input.shape".to_owned(),
    };
    Err(Error::invalid(path, format!("{}; send fewer rows at a time", too_large(bytes))))
}

/// Why a result is refused.
pub(crate) fn too_large(bytes: impl std::fmt::Display) -> String {
    format!("the outputs would hold {bytes} bytes, and {MAX_OUTPUT_BYTES} are allowed")
}

/// The inputs in the item if they are small; else they stay with the caller for now.
fn inline(inputs: &[Named]) -> Result<Input> {
    if attempts::encoded_len(inputs) > MAX_IN_ITEM {
        return Ok(Input::Caller);
    }
    Ok(Input::Inline(Tensors::encode(&inputs).map_err(Error::internal)?))
}

/// Accepts a job that nobody waits for: on disk, then in the queue.
async fn enqueue(app: &App, prepared: Prepared) -> Result<Submitted> {
    let Prepared { mut job, record, inputs } = prepared;
    attempts::store_input(app, &mut job, &inputs).await?;
    match jobs::store(app, &job, Condition::Absent).await? {
        Ok(_) => {
            // on disk when it returns, and the job with it, which was written before
            if let Err(error) = jobs::enqueue(app, &job.id, Duration::ZERO).await {
                // best effort: the caller is told that nothing came of it, and this is why
                let _ = jobs::strike(app, job).await;
                return Err(error);
            }
            Ok(Submitted::Accepted(accepted(&job.id, job.state)))
        }
        Err(old) => {
            let stored = table::decode(old.unwrap_or_default())?;
            let again =
                Again { body_hash: job.body_hash.as_deref(), record: &record, inputs: &inputs };
            repeated(app, stored, again).await
        }
    }
}

/// A request whose `Idempotency-Key` was used before.
struct Again<'a> {
    /// Of its body.
    body_hash: Option<&'a str>,
    /// What it would run, and on what.
    record: &'a Record,
    inputs: &'a [Named],
}

/// The first answer again.
async fn repeated(app: &App, stored: Job, again: Again<'_>) -> Result<Submitted> {
    if stored.body_hash.as_deref() != again.body_hash {
        return Err(Error::IdempotencyMismatch);
    }
    app.ports.records.durable(Token::LATEST).await?;
    if let Some(state) = stored.accepted_as {
        return Ok(Submitted::Accepted(accepted(&stored.id, state)));
    }
    if !stored.state.is_terminal() && stored.is_attended(app.now_us()) {
        return Err(idempotency::in_progress());
    }
    // the call that brought it ended without an answer
    let job = if stored.state.is_terminal() { stored } else { adopt(app, stored, again).await? };
    match job.accepted_as {
        Some(state) => Ok(Submitted::Accepted(accepted(&job.id, state))),
        None => Ok(Submitted::Ended(Box::new(show(app, &job).await?))),
    }
}

/// Takes on a job whose call died: the input that only that call had is stored, so that the job can be
/// given to others.
async fn adopt(app: &App, stored: Job, again: Again<'_>) -> Result<Job> {
    let mut input = stored.clone();
    // the inputs that an adapter of another revision made are others
    if stored.model == pin(again.record) {
        attempts::store_input(app, &mut input, again.inputs).await?;
    }
    let (Ok((job, _)) | Err((job, _))) =
        jobs::apply(app, stored, Event::LetGo(input.input)).await?;
    tasks::requeue(app, &job).await?;
    app.ports.records.durable(Token::LATEST).await?;
    Ok(job)
}

fn accepted(id: &str, state: State) -> Accepted {
    Accepted {
        job_id: id.to_owned(),
        status: state.name().to_owned(),
        message: format!("Inference job {}", state.name()),
        poll_url: format!("/api/v1/inference/{id}"),
    }
}

/// A job of the customer's, with its result if it has one. A job whose deadline passed without
/// anybody noticing ends here.
pub async fn get(app: &App, customer: &str, id: &str) -> Result<rest::Job> {
    let mut job = find(app, customer, id).await?;
    if !job.state.is_terminal() && app.now_us() >= job.deadline_us {
        job = match jobs::apply(app, job, Event::Expire).await? {
            Ok((job, _)) | Err((job, _)) => job,
        };
    }
    if job.state.is_terminal() {
        // whoever was told of an end is not told of another after a crash
        app.ports.records.durable(Token::LATEST).await?;
    }
    show(app, &job).await
}

/// Cancels a job; the device that runs it is told.
pub async fn cancel(app: &App, customer: &str, id: &str) -> Result<Cancelled> {
    let job = find(app, customer, id).await?;
    let cancelled = jobs::apply(app, job, Event::Cancel).await?;
    app.ports.records.durable(Token::LATEST).await?;
    match cancelled {
        Ok((job, _)) => Ok(Cancelled { job_id: job.id, status: job.state.name().to_owned() }),
        Err((job, Refusal::Ended)) => Err(Error::CannotCancel(job.state)),
        Err((_, refusal)) => Err(Error::internal(refusal)),
    }
}

async fn find(app: &App, customer: &str, id: &str) -> Result<Job> {
    // a chunk is shown by its batch
    let own = |job: &Job| job.customer == customer && job.chunk.is_none();
    let job = jobs::load(app, id).await?.filter(own);
    job.ok_or_else(|| Error::no_job(id))
}
