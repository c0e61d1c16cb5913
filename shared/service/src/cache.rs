//! What a process remembers between requests; each entry knows when it was read.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use domain::{access::ApiKey, fleet};
use quick_cache::sync::Cache;

use crate::{models::Record, sessions::Connection};

/// How long a key is believed, in milliseconds: the delay of a revocation.
pub(crate) const KEY_MS: u64 = 10_000;

/// How long a model's head is believed; its versions never change.
pub(crate) const MODEL_MS: u64 = 1_000;

/// How long the fleet view is believed.
pub(crate) const FLEET_MS: u64 = 1_000;

/// Everything that a process remembers.
pub(crate) struct Caches {
    pub(crate) keys: Timed<Arc<ApiKey>>,
    pub(crate) models: Timed<Arc<Record>>,
    pub(crate) fleets: Timed<Arc<Vec<fleet::Page>>>,
    pub(crate) connections: Cache<String, Arc<Connection>>,
    /// Usual time from sending to result, by model checksum, in milliseconds.
    pub(crate) usual: Cache<String, f64>,
    /// What the attempts run that this process sent: by fence, the job and its model.
    pub(crate) sent: Cache<String, (String, Arc<Record>)>,
    pub(crate) in_flight: InFlight,
    pub(crate) parked: Timed<bool>,
}

impl Caches {
    pub(crate) fn new() -> Self {
        Self {
            keys: Timed::new(10_000),
            models: Timed::new(1_000),
            fleets: Timed::new(1_000),
            connections: Cache::new(20_000),
            usual: Cache::new(1_000),
            sent: Cache::new(20_000),
            in_flight: InFlight::default(),
            parked: Timed::new(10_000),
        }
    }
}

/// A bounded map whose entries are believed for a while.
pub(crate) struct Timed<V>(Cache<String, (u64, V)>);

impl<V: Clone> Timed<V> {
    fn new(capacity: usize) -> Self {
        Self(Cache::new(capacity))
    }

    /// The entry, if it was read within `max_age_ms`.
    pub(crate) fn get(&self, key: &str, now_ms: u64, max_age_ms: u64) -> Option<V> {
        let (read_ms, value) = self.0.get(key)?;
        (now_ms < read_ms + max_age_ms).then_some(value)
    }

    pub(crate) fn insert(&self, key: &str, now_ms: u64, value: V) {
        self.0.insert(key.to_owned(), (now_ms, value));
    }

    pub(crate) fn remove(&self, key: &str) {
        self.0.remove(key);
    }
}

/// How many tasks this process has sent to each device and not heard of.
#[derive(Clone, Default)]
pub(crate) struct InFlight(Arc<Mutex<HashMap<String, u32>>>);

impl InFlight {
    pub(crate) fn of(&self, device: &str) -> u32 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(device).copied().unwrap_or(0)
    }

    /// Counts one task until the answer is dropped, so that no path can forget to.
    pub(crate) fn hold(&self, device: &str) -> Held {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(device) {
            Some(count) => *count += 1,
            None => {
                counts.insert(device.to_owned(), 1);
            }
        }
        Held { counts: self.clone(), device: device.to_owned() }
    }
}

/// One counted task.
pub(crate) struct Held {
    counts: InFlight,
    device: String,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut counts = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.device) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.device);
            }
        }
    }
}
