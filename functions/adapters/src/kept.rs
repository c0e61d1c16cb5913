//! Adapters that are ready: the few that were used last, by what they were made of.

use std::sync::Arc;

use quick_cache::{Weighter, sync::Cache};
use service::adapters::Setup;
use tokio::sync::Semaphore;

/// What the kept adapters were made of, in bytes of JSON; a large tokenizer takes some ten times that.
const MAX_BYTES: u64 = 32 << 20;

/// Ready adapters of one kind, and room for as many inputs at once as there are cores: a picture
/// takes memory while it is decoded.
pub(crate) struct Kept<T> {
    ready: Cache<String, (u64, Arc<T>), BySize>,
    pub(crate) slots: Semaphore,
}

#[derive(Clone)]
struct BySize;

impl<T> Weighter<String, (u64, Arc<T>)> for BySize {
    fn weight(&self, _: &String, (bytes, _): &(u64, Arc<T>)) -> u64 {
        bytes + 1024
    }
}

impl<T> Kept<T> {
    pub(crate) fn new() -> Arc<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let ready = Cache::with_weighter(64, MAX_BYTES, BySize);
        Arc::new(Self { ready, slots: Semaphore::new(cores) })
    }

    /// The adapter of a model, version and revision.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<T>> {
        self.ready.get(name).map(|(_, ready)| ready)
    }

    pub(crate) fn insert(&self, name: String, bytes: u64, ready: T) -> Arc<T> {
        let ready = Arc::new(ready);
        self.ready.insert(name, (bytes, ready.clone()));
        ready
    }
}

/// How large a setup is, in bytes of JSON.
pub(crate) fn size(setup: &Setup) -> u64 {
    serde_json::to_vec(setup).map_or(MAX_BYTES, |json| json.len() as u64)
}
