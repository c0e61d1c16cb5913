//! Attempts: choosing a device, putting the attempt on record, sending it.

use std::{sync::Arc, time::Duration};

use domain::{
    fleet::{self, Choice, EVERYONE, Need},
    job::{Attempt, Event, Input, Job, StoredFile, Wants},
    model::{Format, Placement},
};
use ports::{Checksum, Condition, Error as PortError, Method, Token};
use protocol::{
    socket::{self, Blob, ModelRef, Payload, TaskRun},
    tensor::{self, Named},
};

use crate::{App, Error, OWN_DEVICE, Result, cache::Held, models::Record, sessions, table, tasks};

/// Inputs and outputs whose encoded form is larger go by reference: a frame holds 28 KB, and some
/// of it is the rest of the message.
const MAX_INLINE: usize = 24 * 1024;

/// How long a device may fetch inputs and store outputs by URL.
const URL_EXPIRES: Duration = Duration::from_secs(900);

/// What came of asking a device; the job is as it is stored, or as it was when nothing was.
pub(crate) enum Attempted {
    /// A device has it; the write and the counted task.
    Sent(Job, Token, Held),
    /// The platform's own device is to run it.
    Platform(Job),
    /// Somebody else changed the job meanwhile; this is what is stored.
    Changed(Job),
    /// Every capable device is full.
    Busy(Job),
    /// Nothing that could run it is connected, or it had all its attempts.
    Nobody(Job),
}

/// A chosen device.
struct Target {
    device: String,
    connection: String,
    session: String,
    base: String,
}

enum Place {
    Device(Target),
    Platform,
    Busy,
    Nobody,
}

/// Asks one more device. `recorded` says whether the job is in the table already; the first attempt
/// is written together with the job.
pub(crate) async fn ask(
    app: &App,
    mut job: Job,
    recorded: bool,
    record: &Arc<Record>,
    inputs: &[Named],
) -> Result<Attempted> {
    let mut recorded = recorded;
    // the view may list them a moment longer
    let mut gone: Vec<String> = Vec::new();
    loop {
        if !job.may_try(app.lease()) {
            return Ok(Attempted::Nobody(job));
        }
        let target = match place(app, &job, record, &gone).await? {
            Place::Device(target) => target,
            Place::Platform => return Ok(Attempted::Platform(job)),
            Place::Busy => return Ok(Attempted::Busy(job)),
            Place::Nobody => return Ok(Attempted::Nobody(job)),
        };
        if encoded_len(inputs) > MAX_INLINE {
            store_input(app, &mut job, inputs).await?;
        }
        let attempt = Attempt {
            fence: new_fence(app),
            device: target.device.clone(),
            session: target.session.clone(),
            sent_us: app.now_us(),
            end: None,
        };
        let fence = attempt.fence.clone();
        let next = job
            .decide(Event::Assign(attempt), app.now_us(), app.lease())
            .map_err(Error::internal)?
            .job;
        let condition = if recorded { Condition::Version(job.version) } else { Condition::Absent };
        let records = &*app.ports.records;
        let token = match table::store(records, table::job(&job.id), &next, condition).await? {
            Ok(token) => token,
            Err(Some(old)) => return Ok(Attempted::Changed(table::decode(old)?)),
            Err(None) => return Err(Error::no_job(&job.id)),
        };
        recorded = true;
        tasks::note(app, &next.id, &fence, record);
        let held = app.caches().in_flight.hold(&target.device);
        let message = task_run(app, &next, &fence, record, &target, inputs)?;
        match app.ports.sockets.send(&target.connection, message).await {
            Ok(()) => return Ok(Attempted::Sent(next, token, held)),
            Err(PortError::Gone) => {
                sessions::found_gone(app, &target.device, &target.connection).await?;
                gone.push(target.device);
                job = withdraw(app, next, fence, "its connection was gone").await?;
                if job.state.is_terminal() {
                    return Ok(Attempted::Changed(job));
                }
            }
            Err(error) => {
                withdraw(app, next, fence, "it could not be reached").await?;
                return Err(error.into());
            }
        }
    }
}

/// Takes an attempt back that never reached its device.
async fn withdraw(app: &App, job: Job, fence: String, reason: &str) -> Result<Job> {
    let event = Event::Declined { fence, reason: reason.to_owned() };
    Ok(match crate::jobs::apply(app, job, event).await? {
        Ok((job, _)) | Err((job, _)) => job,
    })
}

/// Devices of the caller's own, then shared ones if allowed, then the platform's; never one that is
/// gone, nor one that had this job before while another can take it.
async fn place(app: &App, job: &Job, record: &Record, gone: &[String]) -> Result<Place> {
    let gone = gone.iter().map(String::as_str);
    let asked = job.attempts.iter().map(|attempt| attempt.device.as_str());
    let avoid: Vec<&str> = gone.clone().chain(asked).collect();
    match place_avoiding(app, job, record, &avoid).await? {
        Place::Nobody if !job.attempts.is_empty() && job.working().next().is_none() => {
            place_avoiding(app, job, record, &gone.collect::<Vec<_>>()).await
        }
        found => Ok(found),
    }
}

async fn place_avoiding(app: &App, job: &Job, record: &Record, avoid: &[&str]) -> Result<Place> {
    let scopes: &[&str] = match job.wants.placement {
        Placement::Own => &[&job.customer],
        Placement::Shared => &[&job.customer, EVERYONE],
        Placement::Platform => &[],
    };
    let platform = runs_here(app, &job.wants, record.newest.format) && !avoid.contains(&OWN_DEVICE);
    let need = Need {
        wants: &job.wants,
        format: record.newest.format,
        model_bytes: record.newest.size,
        checksum: &record.newest.checksum,
        avoid,
    };
    let mut busy = false;
    for fresh in [false, true] {
        for scope in scopes {
            let pages = crate::fleet::view(app, scope, fresh).await?;
            let random = draws(app);
            match fleet::choose(&pages, &need, |id| app.caches().in_flight.of(id), random) {
                Choice::Device(id, entry) => {
                    return Ok(Place::Device(Target {
                        device: id.to_owned(),
                        connection: entry.connection.clone(),
                        session: entry.session.clone(),
                        base: entry.base.clone(),
                    }));
                }
                Choice::Busy => busy = true,
                Choice::Nobody => {}
            }
        }
        // a second, fresh look only before saying that there is nobody
        if platform || busy {
            break;
        }
    }
    Ok(match (platform, busy) {
        (true, _) => Place::Platform,
        (false, true) => Place::Busy,
        (false, false) => Place::Nobody,
    })
}

/// Whether the platform's own device may run it.
fn runs_here(app: &App, wants: &Wants, format: Format) -> bool {
    app.engine().is_some()
        && format == Format::Onnx
        && wants.instance_type.as_deref().is_none_or(|kind| kind == "aws")
}

fn draws(app: &App) -> [u32; 2] {
    let mut bytes = [0; 8];
    app.ports.clock.random(&mut bytes);
    let word = u64::from_le_bytes(bytes);
    [word as u32, (word >> 32) as u32]
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
        let file = tensor::to_safetensors(inputs);
        let key = format!("inputs/{}", job.id);
        let checksum = Checksum::of(&file).to_string();
        let stored = StoredFile { key: key.clone(), checksum, bytes: file.len() as u64 };
        app.ports.blobs.put(&key, file).await?;
        job.input = Input::Blob(stored);
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
        Input::Blob(file) if encoded_len(inputs) > MAX_INLINE => Payload::Blob(Blob {
            url: Some(blobs.presign(&file.key, Method::Get, URL_EXPIRES, &target.base)?),
            checksum: file.checksum.clone(),
            bytes: file.bytes,
        }),
        _ => Payload::Inline(inputs.to_vec()),
    };
    let outputs_url = if outputs_fit(record, inputs) {
        None
    } else {
        let key = outputs_key(&job.id, fence);
        Some(blobs.presign(&key, Method::Put(None), URL_EXPIRES, &target.base)?)
    };
    let version = &record.newest;
    Ok(socket::encode(&TaskRun {
        task_id: job.id.clone(),
        attempt: job.attempts.len() as u32,
        fence: fence.to_owned(),
        lease_ms: app.lease().lease_ms,
        deadline_ms: job.deadline_us.saturating_sub(app.now_us()) / 1000,
        model: ModelRef {
            id: record.id.clone(),
            version: version.number,
            format: version.format.name().to_owned(),
            checksum: version.checksum.clone(),
            bytes: version.size,
            url: None,
        },
        inputs: payload,
        outputs_url,
    }))
}

/// Whether the outputs surely fit into a frame.
fn outputs_fit(record: &Record, inputs: &[Named]) -> bool {
    let batch = inputs.first().and_then(|named| named.tensor.shape.first()).copied().unwrap_or(1);
    let sizes = record.newest.outputs.iter().map(|spec| spec.bytes(batch));
    sizes.sum::<Option<usize>>().is_some_and(|bytes| bytes.div_ceil(3) * 4 + 1024 <= MAX_INLINE)
}
