//! A call that waits: it is the timer of its own job. It asks a device, looks again when the job
//! changes, asks another when the first is lost or slow, and lets go when its time is up.

use std::{sync::Arc, time::Duration};

use domain::{
    device::Device,
    job::{Attempt, Event, Job},
};
use futures::future::Either;
use ports::{Condition, Token, Watch};
use protocol::tensor::Named;

use super::{Prepared, Submitted, own};
use crate::{
    App, Error, Result, attempts, attempts::Attempted, jobs, models::Record, sessions, table, usual,
};

mod ending;

/// How often a waiting call looks whether its device is still there.
const LOOK_MS: u64 = 1_000;

/// How often it asks again while every device is full, and while every device has just said so.
const BUSY_MS: u64 = 10;
const DECLINED_MS: u64 = 100;

struct Waiting<'a> {
    app: &'a App,
    record: Arc<Record>,
    inputs: Vec<Named>,
    /// As it is stored, if it is.
    job: Job,
    recorded: bool,
    /// How far the log must be on disk before the answer.
    token: Token,
    /// The last write of this call's own.
    written: Token,
    last_sent_us: u64,
    until_us: u64,
    /// Of this request's body.
    body_hash: Option<String>,
}

pub(super) async fn run(app: &App, prepared: Prepared, wait_ms: u64) -> Result<Submitted> {
    let Prepared { job, record, inputs } = prepared;
    // before the first write, so that no change can be missed
    let mut watch = app.ports.changes.watch(&table::job(&job.id));
    let until_us = job.created_us + wait_ms * 1000;
    let body_hash = job.body_hash.clone();
    let mut waiting = Waiting {
        app,
        record,
        inputs,
        job,
        recorded: false,
        token: Token::default(),
        written: Token::default(),
        last_sent_us: 0,
        until_us,
        body_hash,
    };
    let submitted = waiting.until_ended(&mut *watch).await;
    if let Err(Error::Internal(_)) = submitted {
        Box::pin(waiting.give_up()).await;
    }
    submitted
}

impl Waiting<'_> {
    // What happens rarely is boxed: every request's future would have room for it, and is moved.
    async fn until_ended(&mut self, watch: &mut dyn Watch) -> Result<Submitted> {
        loop {
            if self.job.state.is_terminal() {
                return self.answer().await;
            }
            let mut pause_ms = LOOK_MS;
            if self.job.working().next().is_none() {
                match self.ask().await? {
                    Asked::Sent => pause_ms = self.patience_ms().min(LOOK_MS),
                    Asked::Changed => continue,
                    Asked::Taken => return Box::pin(self.repeated()).await,
                    Asked::Busy => pause_ms = self.busy_ms(),
                    // no device has, or had, anything to do with it
                    Asked::Nobody if self.job.tried() == 0 => return Box::pin(self.refuse()).await,
                    Asked::Nobody => {}
                }
            }
            let now = self.app.now_us();
            if now >= self.job.deadline_us {
                if let Applied::Taken = Box::pin(self.apply(Event::Expire)).await? {
                    return Box::pin(self.repeated()).await;
                }
                continue;
            }
            if now >= self.until_us {
                return Box::pin(self.let_go()).await;
            }
            let left_us = self.until_us.min(self.job.deadline_us) - now;
            let pause = Duration::from_micros((pause_ms * 1000).min(left_us));
            match watch.changed(pause, self.usual()).await? {
                Some((token, image)) => {
                    // a change that this call made itself comes back too
                    if token == self.written {
                        continue;
                    }
                    self.token = self.token.max(token);
                    let job = image.shared::<Job>()?;
                    if job.version > self.job.version {
                        attempts::settle(self.app, &job);
                        self.job = (*job).clone();
                    }
                }
                None => Box::pin(self.look_after()).await?,
            }
        }
    }

    /// Asks one more device, or runs the job here.
    async fn ask(&mut self) -> Result<Asked> {
        let (app, job) = (self.app, self.job.clone());
        let asked =
            attempts::ask(app, job, self.recorded, &self.record, &self.inputs, false).await?;
        Ok(match asked {
            Attempted::Sent(job, token) => {
                self.last_sent_us = self.app.now_us();
                self.wrote(job, token);
                Asked::Sent
            }
            Attempted::Platform(job) => return Box::pin(self.run_here(job)).await,
            Attempted::Changed(job) => self.found(job),
            Attempted::Busy(job) => {
                self.unchanged(job);
                Asked::Busy
            }
            Attempted::Nobody(job) => {
                self.unchanged(job);
                Asked::Nobody
            }
        })
    }

    /// This call wrote the job.
    fn wrote(&mut self, job: Job, token: Token) {
        self.job = job;
        self.token = self.token.max(token);
        self.written = token;
        self.recorded = true;
    }

    /// Somebody else wrote the job, or brought another under the same `Idempotency-Key` first.
    fn found(&mut self, job: Job) -> Asked {
        self.recorded |= job.created_us == self.job.created_us;
        attempts::settle(self.app, &job);
        self.job = job;
        self.token = Token::LATEST;
        if self.recorded { Asked::Changed } else { Asked::Taken }
    }

    /// The job came back without an attempt; its version tells whether one was withdrawn.
    fn unchanged(&mut self, job: Job) {
        self.recorded |= job.version > 1;
        self.job = job;
    }

    /// Runs the job on the platform's own device. If that takes longer than the caller waits, the
    /// job goes to the queue.
    async fn run_here(&mut self, job: Job) -> Result<Asked> {
        self.unchanged(job);
        let until_us = self.until_us.min(self.job.deadline_us);
        let left = until_us.saturating_sub(self.app.now_us());
        let inputs = self.inputs.clone();
        let done = {
            let (app, job) = (self.app, self.job.clone());
            let run = own::complete(app, job, self.recorded, &self.record, inputs);
            let timer = app.ports.clock.sleep(Duration::from_micros(left));
            futures::pin_mut!(run, timer);
            match futures::future::select(run, timer).await {
                Either::Left((done, _)) => done?,
                Either::Right(_) => return Ok(Asked::Busy),
            }
        };
        let (job, token) = done;
        // a job of another request with the same key was not made when this one was
        if self.recorded || job.created_us == self.job.created_us {
            self.wrote(job, token);
            return Ok(Asked::Changed);
        }
        Ok(self.found(job))
    }

    /// Nothing changed for a while: is the device still there, and is it slow?
    async fn look_after(&mut self) -> Result<()> {
        let now_ms = self.app.now_ms();
        let working: Vec<_> = self.job.working().cloned().collect();
        for Attempt { fence, device: id, session, sent_us, .. } in working {
            let device: Option<Device> =
                table::load(&*self.app.ports.records, &table::device(&id)).await?;
            let is_lost = device.is_none_or(|device| {
                device.has_lost(&session, sent_us / 1000, now_ms, self.app.lease())
            });
            if is_lost {
                sessions::found_lost(self.app, &id, &session).await?;
                let reason = "the device went away".to_owned();
                self.apply(Event::Lost { fence, reason }).await?;
            }
        }
        let waited_ms = self.app.now_us().saturating_sub(self.last_sent_us) / 1000;
        let slow = self.job.working().next().is_some() && waited_ms >= self.patience_ms();
        if slow && self.job.may_try(self.app.lease()) {
            // a hedge: beside the first, on another device; if there is none, nothing happens
            self.ask().await?;
        }
        Ok(())
    }

    /// Applies an event, whether the job is on record yet or not.
    async fn apply(&mut self, event: Event) -> Result<Applied> {
        let (app, job) = (self.app, self.job.clone());
        if self.recorded {
            return Ok(match jobs::apply(app, job, event).await? {
                Ok((job, token)) => {
                    self.wrote(job, token);
                    Applied::Done
                }
                Err((job, _)) => {
                    self.found(job);
                    Applied::Refused
                }
            });
        }
        let next = job.decide(event, app.now_us(), app.lease()).map_err(Error::internal)?.job;
        match jobs::store(app, &next, Condition::Absent).await? {
            Ok(token) => {
                self.wrote(next, token);
                Ok(Applied::Done)
            }
            Err(old) => {
                self.found(table::decode(old.unwrap_or_default())?);
                Ok(Applied::Taken)
            }
        }
    }

    fn busy_ms(&self) -> u64 {
        match self.job.resting(self.app.now_us()).next() {
            Some(_) => DECLINED_MS,
            None => BUSY_MS,
        }
    }

    fn patience_ms(&self) -> u64 {
        let usual = usual::of(self.app, &self.record.version.checksum);
        self.app.lease().patience_ms(usual)
    }

    fn usual(&self) -> Duration {
        let usual = usual::of(self.app, &self.record.version.checksum);
        Duration::from_secs_f64(usual.unwrap_or(20.0) / 1000.0)
    }
}

/// What came of asking.
enum Asked {
    /// A device has it.
    Sent,
    /// It is as somebody else left it, or has run here.
    Changed,
    /// It is another request's with the same key.
    Taken,
    Busy,
    Nobody,
}

/// What came of an event.
enum Applied {
    Done,
    /// The job was over; it is at hand.
    Refused,
    /// Its id belongs to another request's job, which is at hand.
    Taken,
}
