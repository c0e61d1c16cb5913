//! What the world knows beside the platform: what was asked and answered, what went wrong where, and
//! what was seen that must never be.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ports::Clock;
use serde::Deserialize;
use tokio::sync::Notify;

use crate::model::{Model, Poison};

/// One request of a customer's.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// What it runs.
    pub(crate) model: Model,
    /// Its input; the first number is the request's own.
    pub(crate) input: Vec<f32>,
    pub(crate) poison: Poison,
    /// The job, once the customer was told of it.
    pub(crate) accepted: Option<String>,
    /// The customer may have cancelled it.
    pub(crate) cancels: bool,
    /// The customer was told that it is cancelled.
    pub(crate) cancelled: bool,
    /// How it ended, as the customer was told first.
    pub(crate) ended: Option<String>,
}

/// One batch of a customer's.
#[derive(Clone, Debug, Default)]
pub(crate) struct AskedBatch {
    /// What it runs, and on what.
    pub(crate) model: Model,
    pub(crate) inputs: Vec<Vec<f32>>,
    /// Once the customer was told of it.
    pub(crate) accepted: Option<String>,
    /// The customer may have cancelled it.
    pub(crate) cancels: bool,
    /// How it ended, as the customer was told.
    pub(crate) ended: Option<String>,
}

/// What everybody in the world knows together.
pub(crate) struct Ledger {
    clock: Arc<dyn Clock>,
    inner: Mutex<Inner>,
    /// Something must never be.
    pub(crate) alarm: Notify,
}

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) asked: Vec<Asked>,
    pub(crate) batches: Vec<AskedBatch>,
    /// Attempts, by fence, whose messages or devices came to harm.
    harmed: HashSet<String>,
    /// When anything of a device came to harm, by its uuid, in epoch microseconds.
    hurt: HashMap<String, Vec<u64>>,
    /// Attempts that devices were asked for: task and fence.
    pub(crate) attempts: Vec<(String, String)>,
    /// Whose an id is: the customer's number.
    pub(crate) owners: HashMap<String, usize>,
    /// How often what happened, for the report.
    pub(crate) counts: BTreeMap<&'static str, u64>,
    violation: Option<String>,
}

impl Ledger {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, inner: Mutex::default(), alarm: Notify::new() })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something happened that is counted.
    pub(crate) fn count(&self, what: &'static str) {
        *self.lock().counts.entry(what).or_default() += 1;
    }

    /// Something was seen that must never be; only the first is kept.
    pub(crate) fn violated(&self, what: String) {
        self.lock().violation.get_or_insert(what);
        self.alarm.notify_one();
    }

    pub(crate) fn violation(&self) -> Option<String> {
        self.lock().violation.clone()
    }

    /// A message of or to a device did not arrive as it should, or was not dealt with.
    pub(crate) fn harm(&self, uuid: &str, frame: &str) {
        #[derive(Deserialize)]
        struct Fenced {
            fence: Option<String>,
        }
        let fence = serde_json::from_str(frame).ok().and_then(|Fenced { fence }| fence);
        let now = self.clock.now_us();
        let mut inner = self.lock();
        inner.harmed.extend(fence);
        inner.hurt.entry(uuid.to_owned()).or_default().push(now);
    }

    /// A device that has these attempts in its hands is cut off.
    pub(crate) fn hurt(&self, uuid: &str, fences: Vec<String>) {
        let now = self.clock.now_us();
        let mut inner = self.lock();
        inner.harmed.extend(fences);
        inner.hurt.entry(uuid.to_owned()).or_default().push(now);
    }
}

impl Inner {
    /// Whether an attempt came to harm: itself, or the device that had it, from then on till then.
    pub(crate) fn was_harmed(&self, fence: &str, uuid: &str, from_us: u64, to_us: u64) -> bool {
        let hurt = self.hurt.get(uuid).into_iter().flatten();
        self.harmed.contains(fence) || hurt.into_iter().any(|at| (from_us..=to_us).contains(at))
    }
}
