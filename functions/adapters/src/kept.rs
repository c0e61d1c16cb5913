//! Adapters that are ready: the few that were used last, by what they were made of.

use std::sync::Arc;

use quick_cache::{Weighter, sync::Cache};
use service::{Error, Result, adapters::Setup};
use tokio::sync::Semaphore;

/// What the kept adapters were made of, in bytes of JSON; a large tokenizer takes some ten times that.
const MAX_BYTES: u64 = 32 << 20;

/// Ready adapters of one kind, and room for as many inputs at once as there are cores: a picture
/// takes memory while it is decoded.
pub(crate) struct Kept<T> {
    ready: Cache<String, (u64, Arc<T>), BySize>,
    slots: Arc<Semaphore>,
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
        Arc::new(Self { ready, slots: Arc::new(Semaphore::new(cores)) })
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

    /// Does what takes a core or memory when there is room for it. The room is taken until it is done,
    /// also when nobody waits for it any more.
    pub(crate) async fn run<A: Send + 'static>(
        &self,
        work: impl FnOnce() -> A + Send + 'static,
    ) -> Result<A> {
        let slot = self.slots.clone().acquire_owned().await.map_err(Error::internal)?;
        let work = move || {
            let _slot = slot;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(Error::internal)
    }
}

/// How large a setup is, in bytes of JSON.
pub(crate) fn size(setup: &Setup) -> u64 {
    serde_json::to_vec(setup).map_or(MAX_BYTES, |json| json.len() as u64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn work_keeps_its_room_when_its_caller_leaves() {
        let kept = Kept::<()>::new();
        let all = kept.slots.available_permits();
        let (begun, mut has_begun) = tokio::sync::mpsc::unbounded_channel();
        let (end, is_over) = mpsc::channel::<()>();
        let work = {
            let kept = kept.clone();
            tokio::spawn(async move {
                let work = move || {
                    begun.send(()).unwrap();
                    is_over.recv().unwrap();
                };
                kept.run(work).await.unwrap();
            })
        };
        has_begun.recv().await.unwrap();
        work.abort();
        assert!(work.await.unwrap_err().is_cancelled());
        assert_eq!(kept.slots.available_permits(), all - 1);
        end.send(()).unwrap();
        let _all = kept.slots.acquire_many(all as u32).await.unwrap();
    }
}
