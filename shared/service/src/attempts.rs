//! Attempts: choosing a device, putting the attempt on record, sending it.

use std::{sync::Arc, time::Duration};

use domain::job::{Attempt, Chunk, Event, Input, Job};
use ports::{Condition, Error as PortError, Method, Token};
use protocol::{
    socket::{self, Blob, ModelRef, Payload, TaskRun},
    tensor::Named,
};

use self::place::{Place, Target};
use crate::{
    App, Error, Result, in_flight::Sent, jobs, models::Record, sessions, sessions::Connection,
    table, tasks, tensors, usual,
};

mod place;

/// Inputs and outputs whose encoded form is larger go by reference: a frame holds 28 KB, and some
/// of it is the rest of the message.
const MAX_INLINE: usize = 24 * 1024;

/// How long a device may fetch inputs and store outputs by URL.
const URL_EXPIRES: Duration = Duration::from_secs(900);

/// What came of asking a device; the job is as it is stored, or as it was when nothing was.
pub(crate) enum Attempted {
    /// A device has it.
    Sent(Job, Token),
    /// The platform's own device is to run it.
    Platform(Job),
    /// Somebody else changed the job meanwhile; this is what is stored.
    Changed(Job),
    /// Every capable device is full.
    Busy(Job),
    /// Nothing that could run it is connected, or it had all its attempts.
    Nobody(Job),
}

/// Asks one more device. `recorded` says whether the job is in the table already; the first attempt
/// is written together with the job. When one `has_room`, those that were full before are asked too.
pub(crate) async fn ask(
    app: &App,
    mut job: Job,
    recorded: bool,
    record: &Arc<Record>,
    inputs: &[Named],
    has_room: bool,
) -> Result<Attempted> {
    let mut recorded = recorded;
    // the view may list them a moment longer
    let mut gone: Vec<String> = Vec::new();
    loop {
        if !job.may_try(app.lease()) {
            return Ok(Attempted::Nobody(job));
        }
        let target = match place::place(app, &job, record, &gone, has_room).await? {
            Place::Device(target) => target,
            Place::Platform => return Ok(Attempted::Platform(job)),
            Place::Busy => return Ok(Attempted::Busy(job)),
            Place::Nobody => return Ok(Attempted::Nobody(job)),
        };
        if encoded_len(inputs) > MAX_INLINE {
            Box::pin(store_input(app, &mut job, inputs)).await?;
        }
        let attempt = Attempt {
            fence: new_fence(app),
            device: target.device.clone(),
            session: target.session.clone(),
            sent_us: app.now_us(),
            end: None,
        };
        let sent = Sent {
            fence: attempt.fence.clone(),
            checksum: record.version.checksum.clone(),
            stacked: job.chunk.as_ref().map(Chunk::runs),
            sent_us: attempt.sent_us,
            until_us: job.deadline_us,
        };
        let fence = attempt.fence.clone();
        let next = job
            .decide(Event::Assign(attempt), app.now_us(), app.lease())
            .map_err(Error::internal)?
            .job;
        // before the write, so that what cannot be sent is not on record either
        let message = task_run(app, &next, &fence, record, &target, inputs)?;
        let condition = if recorded { Condition::Version(job.version) } else { Condition::Absent };
        let token = match jobs::store(app, &next, condition).await? {
            Ok(token) => token,
            Err(Some(old)) => return Ok(Attempted::Changed(table::decode(old)?)),
            Err(None) => return Err(Error::no_job(&job.id)),
        };
        recorded = true;
        tasks::note(app, &next, &fence, record);
        app.caches().in_flight.add(&target.device, sent);
        let reason = match app.ports.sockets.send(&target.connection, message).await {
            Ok(()) => return Ok(Attempted::Sent(next, token)),
            Err(PortError::Gone) => {
                Box::pin(sessions::found_gone(app, &target.device, &target.connection)).await?;
                "its connection was gone"
            }
            Err(cause) => {
                tracing::error!(%cause, device = target.device, "a device cannot be reached");
                "it could not be reached"
            }
        };
        gone.push(target.device);
        job = Box::pin(withdraw(app, next, fence, reason)).await?;
        if job.state.is_terminal() {
            return Ok(Attempted::Changed(job));
        }
    }
}

/// Takes an attempt back that never reached its device.
async fn withdraw(app: &App, job: Job, fence: String, reason: &str) -> Result<Job> {
    let event = Event::Declined { fence, reason: reason.to_owned() };
    Ok(match jobs::apply(app, job, event).await? {
        Ok((job, _)) | Err((job, _)) => job,
    })
}

/// A device answered: it has room again. What was known of the task, if this process sent it.
pub(crate) fn answered(app: &App, connection: &Connection, fence: &str) -> Option<Sent> {
    app.caches().in_flight.remove(connection.device.as_deref()?, fence)
}

/// Forgets the attempts of a job that nobody works on any more: their devices have room again.
pub(crate) fn settle(app: &App, job: &Job) {
    for attempt in &job.attempts {
        if attempt.end.is_none() && job.fences.contains_key(&attempt.fence) {
            continue;
        }
        let sent = app.caches().in_flight.remove(&attempt.device, &attempt.fence);
        let outcome = job.outcome.as_ref().filter(|outcome| outcome.fence == attempt.fence);
        if let (Some(sent), Some(outcome)) = (sent, outcome) {
            usual::learn(app, &sent, job.ended_us.unwrap_or(0), outcome.queue_ms);
        }
    }
}

/// A new fence: 128 random bits in hex, unguessable.
pub(crate) fn new_fence(app: &App) -> String {
    let mut bytes = [0; 16];
    app.ports.clock.random(&mut bytes);
    hex::encode(bytes)
}

/// Keeps the inputs in the object store, so that devices fetch them and the job outlives its caller.
pub(crate) async fn store_input(app: &App, job: &mut Job, inputs: &[Named]) -> Result<()> {
    if matches!(job.input, Input::Caller) {
        let key = format!("inputs/{}", job.id);
        job.input = Input::Blob(tensors::store(app, key, inputs).await?);
    }
    Ok(())
}

/// How long the tensors are in a message, roughly.
pub(crate) fn encoded_len(tensors: &[Named]) -> usize {
    tensors.iter().map(|named| named.tensor.encoded_len() + named.name.len()).sum()
}

/// Where a device puts outputs that do not fit into a frame.
pub(crate) fn outputs_key(job: &str, fence: &str) -> String {
    format!("outputs/{job}/{fence}")
}

fn task_run(
    app: &App,
    job: &Job,
    fence: &str,
    record: &Record,
    target: &Target,
    inputs: &[Named],
) -> Result<String> {
    let blobs = &app.ports.blobs;
    let payload = match &job.input {
        Input::Blob(file) if job.chunk.is_some() || encoded_len(inputs) > MAX_INLINE => {
            Payload::Blob(Blob {
                url: Some(blobs.presign(&file.key, Method::Get, URL_EXPIRES, &target.base)?),
                checksum: file.checksum.clone(),
                bytes: file.bytes,
            })
        }
        _ => Payload::Inline(inputs.to_vec()),
    };
    let outputs_url = if job.chunk.is_none() && outputs_fit(record, inputs) {
        None
    } else {
        let key = outputs_key(&job.id, fence);
        Some(blobs.presign(&key, Method::Put(None), URL_EXPIRES, &target.base)?)
    };
    let version = &record.version;
    Ok(socket::encode(&TaskRun {
        task_id: job.id.clone(),
        attempt: job.attempts.len() as u32,
        fence: fence.to_owned(),
        lease_ms: app.lease().lease_ms,
        deadline_ms: job.deadline_us.saturating_sub(app.now_us()) / 1000,
        model: ModelRef {
            id: record.head.id.clone(),
            version: version.number,
            format: version.format.name().to_owned(),
            checksum: version.checksum.clone(),
            bytes: version.size,
            url: None,
        },
        inputs: payload,
        stacked: job.chunk.as_ref().map(Chunk::runs),
        outputs_url,
    }))
}

/// How many rows the inputs have.
pub(crate) fn batch(inputs: &[Named]) -> usize {
    inputs.first().and_then(|named| named.tensor.shape.first()).copied().unwrap_or(1)
}

/// Whether the outputs surely fit into a frame.
fn outputs_fit(record: &Record, inputs: &[Named]) -> bool {
    let batch = batch(inputs);
    let sizes = record.version.outputs.iter().map(|spec| spec.bytes(batch));
    sizes.sum::<Option<usize>>().is_some_and(|bytes| bytes.div_ceil(3) * 4 + 1024 <= MAX_INLINE)
}
