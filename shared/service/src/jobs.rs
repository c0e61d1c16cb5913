//! Jobs in the table: load, apply an event, and find a device for those that nobody attends.

use domain::job::{Attempt, Decision, Event, Failure, Input, Job, Refusal};
use ports::{Action, Condition, Token, Write};
use protocol::{
    socket::{self, TaskCancel},
    tensor::{self, Named},
};

use crate::{
    App, Error, Result, WORK_QUEUE,
    attempts::{self, Attempted},
    inference, models, parked, table,
};

/// What a function may do that can come to [`dispatch`]: find a device, send the task, take it back.
pub const DISPATCHES: &[Action] = &[
    Action::GetRecords,
    Action::QueryRecords,
    Action::WriteRecords,
    Action::DeleteRecords,
    Action::ReadBlobs,
    Action::WriteBlobs,
    Action::SendTo(WORK_QUEUE),
    Action::PostToSockets,
];

/// A job, whoever it belongs to.
pub async fn load(app: &App, id: &str) -> Result<Option<Job>> {
    if !domain::name::is_id(id, "infer") {
        return Ok(None);
    }
    table::load(&*app.ports.records, &table::job(id)).await
}

/// Applies an event to the stored job, again if it changed meanwhile. Devices that now work for
/// nothing are told. The inner error is the domain's refusal; nothing was written then.
pub(crate) async fn apply(
    app: &App,
    mut job: Job,
    event: Event,
) -> Result<std::result::Result<(Job, Token), (Job, Refusal)>> {
    loop {
        let decision = match job.decide(event.clone(), app.now_us(), app.lease()) {
            Ok(decision) => decision,
            Err(refusal) => return Ok(Err((job, refusal))),
        };
        let Decision { job: next, stop } = decision;
        let key = table::job(&job.id);
        let condition = Condition::Version(job.version);
        match table::store(&*app.ports.records, key, &next, condition).await? {
            Ok(token) => {
                stop_working(app, &next, &stop).await;
                return Ok(Ok((next, token)));
            }
            Err(Some(old)) => job = table::decode(old)?,
            Err(None) => return Err(Error::no_job(&job.id)),
        }
    }
}

/// Tells devices that nobody wants their result any more; a device that is gone needs no telling.
pub(crate) async fn stop_working(app: &App, job: &Job, attempts: &[Attempt]) {
    for attempt in attempts {
        let device = match table::load::<domain::device::Device>(
            &*app.ports.records,
            &table::device(&attempt.device),
        )
        .await
        {
            Ok(Some(device)) if device.session == attempt.session => device,
            Ok(_) => continue,
            Err(cause) => {
                tracing::warn!(%cause, job = job.id, "could not tell a device to stop");
                continue;
            }
        };
        let cancel = TaskCancel {
            task_id: job.id.clone(),
            fence: attempt.fence.clone(),
            reason: job.state.name().to_owned(),
        };
        if let Err(cause) =
            app.ports.sockets.send(&device.connection, socket::encode(&cancel)).await
        {
            tracing::debug!(%cause, job = job.id, "a device could not be told to stop");
        }
    }
}

/// Finds a device for a job that nobody attends, or parks it. Does nothing for a job that is over,
/// attended, or in the hands of a device that is not known to be lost.
pub async fn dispatch(app: &App, id: &str) -> Result<()> {
    let Some(job) = load(app, id).await? else { return Ok(()) };
    let now = app.now_us();
    if job.state.is_terminal() {
        return parked::remove(app, &job).await;
    }
    if now >= job.deadline_us {
        let _ = apply(app, job, Event::Expire).await?;
        return Ok(());
    }
    if job.is_attended(now) || job.working().next().is_some() {
        return Ok(());
    }
    ask_another(app, job).await
}

/// Asks one more device for a job, beside those that work on it; parks it when there is none.
pub(crate) async fn ask_another(app: &App, job: Job) -> Result<()> {
    let record = match models::find(app, &job.customer, &job.model.id).await {
        Ok(record) => record,
        Err(Error::NoModel(message)) => {
            let failure = Failure { code: "NO_MODEL".to_owned(), message };
            let _ = apply(app, job, Event::Abandon(failure)).await?;
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let Some(inputs) = inputs(app, &job).await? else {
        let message = "the call that brought the input ended before it was stored".to_owned();
        let failure = Failure { code: "INPUT_LOST".to_owned(), message };
        let _ = apply(app, job, Event::Abandon(failure)).await?;
        return Ok(());
    };
    let hedge = job.working().next().is_some();
    match attempts::ask(app, job, true, &record, &inputs).await? {
        Attempted::Sent(job, ..) => parked::remove(app, &job).await,
        Attempted::Platform(job) => {
            let (job, token) = inference::own::complete(app, job, true, &record, inputs).await?;
            app.ports.records.durable(token).await?;
            parked::remove(app, &job).await
        }
        Attempted::Changed(_) => Ok(()),
        Attempted::Busy(job) | Attempted::Nobody(job) if !hedge => parked::put(app, &job).await,
        Attempted::Busy(_) | Attempted::Nobody(_) => Ok(()),
    }
}

/// The stored inputs of a job; `None` when only its caller had them.
pub(crate) async fn inputs(app: &App, job: &Job) -> Result<Option<Vec<Named>>> {
    match &job.input {
        Input::Inline(text) => serde_json::from_str(text).map(Some).map_err(Error::internal),
        Input::Caller => Ok(None),
        Input::Blob(file) => {
            let bytes = app.ports.blobs.get(&file.key, None).await?;
            bytes.map(|bytes| tensor::from_safetensors(&bytes).map_err(Error::internal)).transpose()
        }
    }
}

/// Puts a job on record as it is, for the first time.
pub(crate) fn first_write(job: &Job) -> Result<Write> {
    Ok(Write::put(table::job(&job.id), table::encode(job)?, Condition::Absent))
}
