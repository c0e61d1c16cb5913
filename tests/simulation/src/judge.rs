//! What must hold: looked at with every write while a world runs, and of all that is left at its end.

mod batches;
mod writes;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use domain::{
    device::Device,
    job::{Input, Job, State},
    lease,
};
use ports::{Item, Key};
use protocol::tensor::Named;
use serde_json::Value;

pub(crate) use self::writes::observer;
use crate::{
    Store,
    ledger::{Asked, Ledger},
    model::Poison,
};

/// Before an attempt was sent, what came to harm may still have been about it: in microseconds.
const AFTERMATH_US: u64 = 90_000_000;

fn is_job(key: &Key) -> bool {
    key.partition.starts_with("JOB#") && key.sort == "HEAD"
}

/// The jobs that are on record.
pub(crate) fn jobs(store: &Store) -> Vec<Arc<Job>> {
    let items = store.items().into_iter().filter(|(key, _)| is_job(key));
    items.filter_map(|(_, item)| item.shared().ok()).collect()
}

/// What is left at the end of a world.
pub(crate) struct Remains<'a> {
    pub(crate) store: &'a Store,
    pub(crate) ledger: &'a Ledger,
    pub(crate) lease: lease::Settings,
    /// How many messages were sent that nobody can handle.
    pub(crate) garbage: usize,
}

impl Remains<'_> {
    /// Judges everything that is left.
    ///
    /// # Errors
    /// What must not be.
    pub(crate) fn judge(&self) -> Result<(), String> {
        let jobs = jobs(self.store);
        let uuids: HashMap<String, String> = self.devices().into_iter().collect();
        let by_id: BTreeMap<&str, &Job> = jobs.iter().map(|job| (&*job.id, &**job)).collect();
        for job in &jobs {
            if !job.state.is_terminal() {
                return Err(format!("{} never ended: {}", job.id, story(job)));
            }
        }
        let ledger = self.ledger.lock();
        for (number, asked) in ledger.asked.iter().enumerate() {
            let Some(id) = &asked.accepted else { continue };
            let Some(job) = by_id.get(&**id) else {
                return Err(format!("{id}, which was accepted, is not on record"));
            };
            if asked.ended.as_deref() != Some(job.state.name()) {
                let told = &asked.ended;
                return Err(format!("request {number} was told {told:?} of {id}: {}", story(job)));
            }
            let was_harmed = |fence: &str, device: &str, from_us, to_us| {
                let uuid = uuids.get(device).map_or("", |uuid| uuid);
                ledger.was_harmed(fence, uuid, from_us, to_us)
            };
            self.is_excused(job, asked, was_harmed)?;
        }
        batches::judge(self.store, &ledger, &jobs, |job| {
            self.was_unlucky(job, |fence, device, from_us, to_us| {
                ledger.was_harmed(fence, uuids.get(device).map_or("", |uuid| uuid), from_us, to_us)
            })
        })?;
        drop(ledger);
        self.once(&jobs)?;
        self.is_drained()?;
        self.is_counted(&jobs)
    }

    /// Whether a job that has no result has a reason for that.
    fn is_excused(
        &self,
        job: &Job,
        asked: &Asked,
        was_harmed: impl Fn(&str, &str, u64, u64) -> bool,
    ) -> Result<(), String> {
        let unexcused = |why: &str| Err(format!("{} {why}: {}", job.id, story(job)));
        let reason = job.failure.as_ref().map(|failure| &*failure.code);
        match (job.state, asked.poison.reason()) {
            (State::Completed, None) => return Ok(()),
            (State::Completed, Some(_)) => return unexcused("completed although it is poison"),
            (State::Cancelled, _) if asked.cancels => return Ok(()),
            (State::Cancelled, _) => return unexcused("was cancelled by nobody"),
            (State::Failed, Some(expected)) if reason == Some(expected) => return Ok(()),
            // a device may die, or be cut off, before it is poisoned
            (State::Failed, Some(_)) if reason == Some("DEVICE_LOST") => {}
            _ => {}
        }
        match self.was_unlucky(job, was_harmed) {
            Err(_) if asked.poison != Poison::None && job.tried() >= self.lease.max_attempts => {
                Ok(())
            }
            judged => judged,
        }
    }

    /// Whether a job that has no result had all its attempts, and each of them came to harm.
    fn was_unlucky(
        &self,
        job: &Job,
        was_harmed: impl Fn(&str, &str, u64, u64) -> bool,
    ) -> Result<(), String> {
        let unexcused = |why: &str| Err(format!("{} {why}: {}", job.id, story(job)));
        if job.tried() < self.lease.max_attempts {
            return unexcused("had attempts left");
        }
        let ended_us = job.ended_us.unwrap_or(u64::MAX);
        for attempt in &job.attempts {
            let to_us = attempt.end.as_ref().map_or(ended_us, |end| end.at_us);
            let from_us = attempt.sent_us.saturating_sub(AFTERMATH_US);
            let tried = attempt.end.as_ref().is_none_or(|end| end.was_tried());
            if tried && !was_harmed(&attempt.fence, &attempt.device, from_us, to_us) {
                return unexcused("has no result, though an attempt came to no harm");
            }
        }
        Ok(())
    }

    /// Whether no request became two jobs. The first number of an input is its request's own.
    fn once(&self, jobs: &[Arc<Job>]) -> Result<(), String> {
        let mut seen: BTreeMap<u64, &str> = BTreeMap::new();
        for job in jobs {
            let (Input::Inline(inputs), None) = (&job.input, &job.chunk) else {
                continue;
            };
            let tensors: Vec<Named> = serde_json::from_str(inputs.text()).unwrap_or_default();
            let number = tensors.first().and_then(|named| named.tensor.to_f64().first().copied());
            let Some(number) = number else { continue };
            if let Some(other) = seen.insert(number as u64, &job.id) {
                return Err(format!("request {number} became {other} and {}", job.id));
            }
        }
        Ok(())
    }

    /// Whether nothing waits any more, and nothing is dead that was not poison.
    fn is_drained(&self) -> Result<(), String> {
        let of = |prefix: &str| {
            let rows = self.store.items().into_iter().map(|(key, _)| key);
            rows.filter(|key| key.partition.starts_with(prefix)).collect::<Vec<_>>()
        };
        let lists = ["OPEN#", "OPENBATCHES", "BATCHES#", "WAIT#"];
        for (prefix, what) in lists.into_iter().zip(["open", "open", "given out", "parked"]) {
            if let Some(row) = of(prefix).first() {
                return Err(format!("{} is still {what}, in {}", row.sort, row.partition));
            }
        }
        let is_garbage = |body: &Value| body.get("garbage").is_some();
        // sessions are looked at for as long as there are any
        for queue in [service::WORK_QUEUE, service::BATCH_QUEUE] {
            if let Some(left) = self.store.messages(queue).iter().find(|body| !is_garbage(body)) {
                return Err(format!("a message is left in the queue `{queue}`: {left}"));
            }
        }
        let queues = [service::WORK_QUEUE, service::BATCH_QUEUE, service::SESSIONS_QUEUE];
        let dead = queues.iter().flat_map(|queue| self.store.messages(&format!("{queue}-dead")));
        let dead: Vec<Value> = dead.collect();
        if let Some(other) = dead.iter().find(|body| !is_garbage(body)) {
            return Err(format!("a message is dead that is no poison: {other}"));
        }
        if dead.len() != self.garbage {
            return Err(format!("{} of {} poisonous messages are dead", dead.len(), self.garbage));
        }
        Ok(())
    }

    /// Whether what is folded from the feed agrees with the jobs, however often the feed came.
    fn is_counted(&self, jobs: &[Arc<Job>]) -> Result<(), String> {
        let mut won: BTreeMap<&str, u64> = BTreeMap::new();
        for winner in jobs.iter().filter_map(|job| job.winner()) {
            *won.entry(&winner.device).or_default() += 1;
        }
        for (key, item) in self.store.items() {
            let row: Value = item.decode().map_err(|error| error.to_string())?;
            if key.partition == "TOTALS" {
                for what in ["queued", "running"] {
                    if row[what] != 0 {
                        return Err(format!("nothing is {what}, and {} are counted", row[what]));
                    }
                }
            }
            let device = key.partition.strip_prefix("DEV#").filter(|_| key.sort == "STATS");
            if let Some(device) = device {
                let right = won.remove(device).unwrap_or(0);
                if row["completed"] != right {
                    let counted = &row["completed"];
                    return Err(format!(
                        "{device} completed {right} jobs, and {counted} are counted"
                    ));
                }
            }
        }
        match won.first_key_value() {
            Some((device, jobs)) => {
                Err(format!("{device} completed {jobs} jobs, and none is counted"))
            }
            None => Ok(()),
        }
    }

    /// The devices' ids and uuids.
    fn devices(&self) -> Vec<(String, String)> {
        let items = self.store.items().into_iter();
        let devices =
            items.filter(|(key, _)| key.partition.starts_with("DEV#") && key.sort == "HEAD");
        let read = |(_, item): (Key, Item)| item.decode::<Device>().ok();
        devices.filter_map(read).map(|device| (device.id, device.uuid)).collect()
    }
}

/// A job in one line, for whoever looks for what went wrong.
pub(crate) fn story(job: &Job) -> String {
    let ms = |us: u64| us.saturating_sub(job.created_us) / 1000;
    let attempts: Vec<String> = job
        .attempts
        .iter()
        .map(|attempt| {
            let end = attempt.end.as_ref().map_or_else(
                || "open".to_owned(),
                |end| format!("{:?} at {} ms ({})", end.kind, ms(end.at_us), end.reason),
            );
            format!("{} at {} ms: {end}", attempt.device, ms(attempt.sent_us))
        })
        .collect();
    let failure = job.failure.as_ref().map(|failure| format!(", {}", failure.code));
    let ended = job.ended_us.map_or_else(String::new, |at| format!(" at {} ms", ms(at)));
    let (state, failure) = (job.state.name(), failure.unwrap_or_default());
    format!("{state}{failure}{ended}, attempts [{}]", attempts.join("; "))
}
