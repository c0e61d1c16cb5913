//! What a process remembers between requests; each entry knows when it was read.

use std::sync::Arc;

use domain::{access::ApiKey, fleet};
use quick_cache::sync::Cache;
use serde_json::value::RawValue;

use crate::{
    batch,
    datasets::Dataset,
    in_flight::InFlight,
    inference::own::Runs,
    models::{Head, Revisions, Version},
    schema::Schemas,
    sessions::Connection,
};

/// How long a key is believed, in milliseconds: the delay of a revocation.
pub(crate) const KEY_MS: u64 = 10_000;

/// How long a model's head is believed; its versions never change.
pub(crate) const MODEL_MS: u64 = 1_000;

/// How long the fleet view is believed.
pub(crate) const FLEET_MS: u64 = 1_000;

/// Everything that a process remembers.
pub(crate) struct Caches {
    pub(crate) keys: Timed<Arc<ApiKey>>,
    pub(crate) models: Timed<Arc<Head>>,
    /// Ready versions that are not their model's newest, by `id@number`.
    pub(crate) versions: Cache<String, Arc<Version>>,
    pub(crate) revisions: Revisions,
    /// Input schemas, compiled.
    pub(crate) schemas: Schemas,
    /// Ready ones, which never change, by id.
    pub(crate) datasets: Cache<String, Arc<Dataset>>,
    pub(crate) fleets: Timed<Arc<Vec<fleet::Page>>>,
    pub(crate) connections: Cache<String, Arc<Connection>>,
    /// By model checksum, in milliseconds; see `usual`.
    pub(crate) usual: Cache<String, f64>,
    /// What the attempts run that this process sent, by fence.
    pub(crate) sent: Cache<String, crate::tasks::Ran>,
    pub(crate) in_flight: InFlight,
    pub(crate) acks: crate::tasks::Acks,
    /// The inputs of batches that came in a request, by their file.
    pub(crate) bodies: Cache<String, Arc<Vec<Box<RawValue>>>>,
    /// Chunks that are over, while their results are shown.
    pub(crate) chunks: Cache<String, Arc<batch::Over>>,
    /// Batches that this process heard of.
    pub(crate) heard: Timed<()>,
    pub(crate) batches: batch::Busy,
    pub(crate) turns: batch::Turns,
    /// Whether something that can run may wait in a scope.
    pub(crate) parked: Timed<bool>,
    /// Since when the oldest job of a customer waits in a scope, in epoch milliseconds.
    pub(crate) oldest: Timed<Option<u64>>,
    /// Scopes that were looked at by way of the queue.
    pub(crate) reminded: Timed<()>,
    /// When a job was last put into the queue, in epoch milliseconds.
    pub(crate) queued: Cache<String, u64>,
    pub(crate) own_runs: Runs,
}

impl Caches {
    pub(crate) fn new() -> Self {
        Self {
            keys: Timed::new(10_000),
            models: Timed::new(1_000),
            versions: Cache::new(1_000),
            revisions: Revisions::new(),
            schemas: Schemas::new(),
            datasets: Cache::new(100),
            fleets: Timed::new(1_000),
            connections: Cache::new(20_000),
            usual: Cache::new(1_000),
            sent: Cache::new(20_000),
            in_flight: InFlight::default(),
            acks: Default::default(),
            bodies: Cache::new(4),
            chunks: Cache::new(4),
            heard: Timed::new(10_000),
            batches: Default::default(),
            turns: Default::default(),
            parked: Timed::new(10_000),
            oldest: Timed::new(10_000),
            reminded: Timed::new(1_000),
            queued: Cache::new(10_000),
            own_runs: Runs::default(),
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
