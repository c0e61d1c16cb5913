//! Choosing where a job runs: devices of the caller's own, then shared ones if allowed, then the
//! platform's.

use domain::{
    fleet::{self, Choice, EVERYONE, Need},
    job::{Job, Wants},
    model::{Format, Placement},
};

use crate::{
    App, OWN_DEVICE, Result,
    models::{Record, Version},
};

/// A chosen device.
pub(super) struct Target {
    pub(super) device: String,
    pub(super) connection: String,
    pub(super) session: String,
    pub(super) base: String,
}

pub(super) enum Place {
    Device(Target),
    Platform,
    /// Every capable device is full, or was a moment ago.
    Busy,
    Nobody,
}

/// Where the job runs next: never on a device of `gone`, nor on one that had it before while another
/// can take it, nor on one that did not take it and still rests. Full devices need no rest when one
/// `has_room`.
pub(super) async fn place(
    app: &App,
    job: &Job,
    record: &Record,
    gone: &[String],
    has_room: bool,
) -> Result<Place> {
    let gone = || gone.iter().map(String::as_str);
    let asked = job.attempts.iter().map(|attempt| attempt.device.as_str());
    let fresh = look(app, job, record, &gone().chain(asked).collect::<Vec<_>>()).await?;
    let again = !job.attempts.is_empty() && job.working().next().is_none();
    if !again || !matches!(fresh, Place::Nobody) {
        return Ok(fresh);
    }
    let resting: Vec<_> = job.resting(app.now_us()).collect();
    let refused = || resting.iter().filter(|rests| rests.refused).map(|rests| rests.device);
    let full = || resting.iter().filter(|rests| !rests.refused).map(|rests| rests.device);
    if has_room {
        return look(app, job, record, &gone().chain(refused()).collect::<Vec<_>>()).await;
    }
    let rested =
        look(app, job, record, &gone().chain(refused()).chain(full()).collect::<Vec<_>>()).await?;
    if !matches!(rested, Place::Nobody) || full().next().is_none() {
        return Ok(rested);
    }
    let later = look(app, job, record, &gone().chain(refused()).collect::<Vec<_>>()).await?;
    Ok(if matches!(later, Place::Nobody) { Place::Nobody } else { Place::Busy })
}

async fn look(app: &App, job: &Job, record: &Record, avoid: &[&str]) -> Result<Place> {
    let scopes: &[&str] = match job.wants.placement {
        Placement::Own => &[&job.customer],
        Placement::Shared => &[&job.customer, EVERYONE],
        Placement::Platform => &[],
    };
    let platform = runs_here(app, &job.wants, &record.version) && !avoid.contains(&OWN_DEVICE);
    let need = Need {
        wants: &job.wants,
        format: record.version.format,
        model_bytes: record.version.size,
        checksum: &record.version.checksum,
        in_batch: job.chunk.is_some(),
        avoid,
    };
    let now = app.now_us();
    let mut busy = false;
    for fresh in [false, true] {
        for scope in scopes {
            let pages = crate::fleet::view(app, scope, fresh).await?;
            let random = draws(app);
            let in_flight = |id: &str| app.caches().in_flight.of(id, need.in_batch, now);
            match fleet::choose(&pages, &need, in_flight, random) {
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
fn runs_here(app: &App, wants: &Wants, version: &Version) -> bool {
    app.engine().is_some_and(|engine| engine.takes(version.size))
        && version.format == Format::Onnx
        && wants.instance_type.as_deref().is_none_or(|kind| kind == "aws")
}

fn draws(app: &App) -> [u32; 2] {
    let mut bytes = [0; 8];
    app.ports.clock.random(&mut bytes);
    let word = u64::from_le_bytes(bytes);
    [word as u32, (word >> 32) as u32]
}
