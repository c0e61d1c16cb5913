//! A call that waits: it is the timer of its own job. It asks a device, looks again when the job
//! changes, asks another when the first is lost or slow, and lets go when its time is up.

use std::{sync::Arc, time::Duration};

use domain::{
    device::Device,
    job::{Event, Job},
};
use ports::{Condition, Token, Watch};
use protocol::tensor::Named;

use super::{Prepared, Submitted, accepted, own, repeated, show};
use crate::{
    App, Error, Result, WORK_QUEUE, attempts, attempts::Attempted, cache::Held, jobs,
    models::Record, table,
};

/// How often a waiting call looks whether its device is still there.
const LOOK_MS: u64 = 1_000;

/// How often it asks again while every device is full.
const BUSY_MS: u64 = 10;

/// The longest time that a model is taken to need usually.
const MAX_USUAL: Duration = Duration::from_secs(60);

struct Waiting<'a> {
    app: &'a App,
    record: Arc<Record>,
    inputs: Vec<Named>,
    /// As it is stored, if it is.
    job: Job,
    recorded: bool,
    /// How far the log must be on disk before the answer.
    token: Token,
    /// Tasks that this call has sent.
    held: Vec<Held>,
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
        held: Vec::new(),
        last_sent_us: 0,
        until_us,
        body_hash,
    };
    waiting.until_ended(&mut *watch).await
}

impl Waiting<'_> {
    async fn until_ended(&mut self, watch: &mut dyn Watch) -> Result<Submitted> {
        loop {
            if self.job.state.is_terminal() {
                return self.answer().await;
            }
            let mut pause_ms = LOOK_MS;
            if self.job.working().next().is_none() {
                let fresh = !self.recorded;
                match self.ask().await? {
                    Asked::Ended => continue,
                    Asked::Sent => pause_ms = self.patience_ms().min(LOOK_MS),
                    Asked::Changed if fresh => {
                        return repeated(self.app, &self.job, self.body_hash.as_deref()).await;
                    }
                    Asked::Changed => continue,
                    Asked::Busy => pause_ms = BUSY_MS,
                    Asked::Nobody if fresh => return Err(nobody(&self.record)),
                    Asked::Nobody => {}
                }
            }
            let now = self.app.now_us();
            if now >= self.until_us {
                return self.let_go().await;
            }
            let pause = Duration::from_micros((pause_ms * 1000).min(self.until_us - now));
            match watch.changed(pause, self.usual()).await? {
                Some((token, image)) => {
                    self.token = self.token.max(token);
                    let job: Job = image.decode()?;
                    // a change that this call made itself comes back too
                    if job.version > self.job.version {
                        self.job = job;
                    }
                }
                None => self.look_after().await?,
            }
        }
    }

    /// Asks one more device, or runs the job here.
    async fn ask(&mut self) -> Result<Asked> {
        let job = self.job.clone();
        let asked = attempts::ask(self.app, job, self.recorded, &self.record, &self.inputs).await?;
        Ok(match asked {
            Attempted::Sent(job, token, held) => {
                self.sent(job, token, held);
                Asked::Sent
            }
            Attempted::Platform(job) => return self.run_here(job).await,
            Attempted::Changed(job) => {
                self.job = job;
                Asked::Changed
            }
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

    fn sent(&mut self, job: Job, token: Token, held: Held) {
        self.last_sent_us = self.app.now_us();
        self.job = job;
        self.token = self.token.max(token);
        self.recorded = true;
        self.held.push(held);
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
        let left = self.until_us.saturating_sub(self.app.now_us());
        let inputs = self.inputs.clone();
        let run = own::complete(self.app, self.job.clone(), self.recorded, &self.record, inputs);
        let timer = self.app.ports.clock.sleep(Duration::from_micros(left));
        futures::pin_mut!(run, timer);
        match futures::future::select(run, timer).await {
            futures::future::Either::Left((done, _)) => {
                let (job, token) = done?;
                // another request with the same key was faster
                let mine = job.created_us == self.job.created_us;
                self.job = job;
                self.token = self.token.max(token);
                if !self.recorded && !mine {
                    return Ok(Asked::Changed);
                }
                self.recorded = true;
                Ok(Asked::Ended)
            }
            futures::future::Either::Right(_) => Ok(Asked::Busy),
        }
    }

    /// Nothing changed for a while: is the device still there, and is it slow?
    async fn look_after(&mut self) -> Result<()> {
        let now_ms = self.app.now_ms();
        let working: Vec<_> = self.job.working().cloned().collect();
        for attempt in working {
            let key = table::device(&attempt.device);
            let device: Option<Device> = table::load(&*self.app.ports.records, &key).await?;
            let sent_ms = attempt.sent_us / 1000;
            let lost = device.is_none_or(|device| {
                device.has_lost(&attempt.session, sent_ms, now_ms, self.app.lease())
            });
            if lost {
                let reason = "the device went away".to_owned();
                let event = Event::Lost { fence: attempt.fence, reason };
                match jobs::apply(self.app, self.job.clone(), event).await? {
                    Ok((job, token)) => {
                        self.job = job;
                        self.token = self.token.max(token);
                    }
                    Err((job, _)) => self.job = job,
                }
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

    fn patience_ms(&self) -> u64 {
        let usual = self.app.caches().usual.get(&self.record.newest.checksum);
        self.app.lease().patience_ms(usual)
    }

    fn usual(&self) -> Duration {
        let usual = self.app.caches().usual.get(&self.record.newest.checksum);
        // as a number of microseconds, which any number of milliseconds fits into
        Duration::from_micros((usual.unwrap_or(20.0) * 1000.0) as u64).min(MAX_USUAL)
    }

    /// The end: on disk first, then to the caller.
    async fn answer(&mut self) -> Result<Submitted> {
        self.held.clear();
        self.learn();
        self.app.ports.records.durable(self.token).await?;
        let losers: Vec<_> = match &self.job.outcome {
            Some(outcome) if self.job.attempts.len() > 1 => {
                let slower =
                    |a: &&domain::job::Attempt| a.end.is_none() && a.fence != outcome.fence;
                self.job.attempts.iter().filter(slower).cloned().collect()
            }
            _ => Vec::new(),
        };
        jobs::stop_working(self.app, &self.job, &losers).await;
        Ok(Submitted::Ended(Box::new(show(self.app, &self.job).await?)))
    }

    /// Remembers how long this model usually takes.
    fn learn(&self) {
        let Some(([queue, _, _, total], _)) = self.job.timings_ms().zip(self.job.winner()) else {
            return;
        };
        let usual = &self.app.caches().usual;
        let checksum = &self.record.newest.checksum;
        let took = total - queue;
        let learnt = usual.get(checksum).map_or(took, |before| before * 0.9 + took * 0.1);
        usual.insert(checksum.clone(), learnt);
    }

    /// The caller's time is up: the job goes on without it.
    async fn let_go(&mut self) -> Result<Submitted> {
        self.held.clear();
        let mut job = self.job.clone();
        attempts::store_input(self.app, &mut job, &self.inputs).await?;
        loop {
            let before = job.version;
            let condition = if self.recorded {
                job.version += 1;
                Condition::Version(before)
            } else {
                Condition::Absent
            };
            let records = &*self.app.ports.records;
            match table::store(records, table::job(&job.id), &job, condition).await? {
                Ok(token) => {
                    self.token = self.token.max(token);
                    break;
                }
                Err(Some(old)) => {
                    let input = job.input.clone();
                    job = table::decode(old)?;
                    if !self.recorded {
                        return repeated(self.app, &job, self.body_hash.as_deref()).await;
                    }
                    if job.state.is_terminal() {
                        self.job = job;
                        return self.answer().await;
                    }
                    job.input = input;
                }
                Err(None) => return Err(Error::no_job(&job.id)),
            }
        }
        if job.working().next().is_none() {
            let body = serde_json::json!({ "job": job.id });
            self.app.ports.queues.send(WORK_QUEUE, &body, Duration::ZERO).await?;
        }
        self.app.ports.records.durable(self.token).await?;
        Ok(Submitted::Accepted(accepted(&job)))
    }
}

/// What came of asking.
enum Asked {
    Ended,
    Sent,
    Changed,
    Busy,
    Nobody,
}

fn nobody(record: &Record) -> Error {
    Error::NoDevices(format!(
        "no connected device can run this {} model; start one with `dcmp device`, allow shared devices with \"placement\": \"shared\", or submit with \"async\": true to wait for one",
        record.newest.format.name()
    ))
}
