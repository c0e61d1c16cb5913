//! Reading the feed: each consumer has its own place in it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use ports::{Change, Changes, Error, Key, Place, Result, Watch};
use tokio::time::Instant;

use crate::{engine::Engine, keys};

/// After the first change of a quiet time, how long more are gathered: folding a batch costs little
/// more than folding one change, and nothing that is folded is needed sooner.
const GATHER: Duration = Duration::from_millis(5);

fn foreign(place: &Place) -> Error {
    Error::Invalid(format!("{} is no change of this feed", place.sequence))
}

/// The feed of the store's records.
pub(crate) struct LocalChanges(pub(crate) Arc<Engine>);

impl LocalChanges {
    /// The consumer's place; a new one is known from now on, so that nothing is trimmed behind it.
    fn place(&self, consumer: &str) -> Result<u64> {
        if let Some(&place) = self.0.feed.consumers.lock().get(consumer) {
            return Ok(place);
        }
        self.0.store_checkpoint(consumer, 0)?;
        Ok(*self.0.feed.consumers.lock().entry(consumer.to_owned()).or_insert(0))
    }
}

#[async_trait]
impl Changes for LocalChanges {
    async fn read(&self, consumer: &str, max: usize, wait: Duration) -> Result<Vec<Change>> {
        let place = self.place(consumer)?;
        let deadline = Instant::now() + wait;
        loop {
            let arrived = self.0.feed.arrived.notified();
            tokio::pin!(arrived);
            arrived.as_mut().enable();
            let changes = self.0.feed.read(place, max)?;
            if !changes.is_empty() {
                return Ok(changes);
            }
            if tokio::time::timeout_at(deadline, arrived).await.is_err() {
                return Ok(changes);
            }
            tokio::time::sleep_until(deadline.min(Instant::now() + GATHER)).await;
        }
    }

    async fn checkpoint(&self, consumer: &str, place: &Place) -> Result<()> {
        let sequence = place.sequence.number().ok_or_else(|| foreign(place))?;
        {
            let mut consumers = self.0.feed.consumers.lock();
            let place = consumers.entry(consumer.to_owned()).or_insert(0);
            // Never back: a slow duplicate of a consumer must not undo what another has done.
            if sequence > *place {
                self.0.store_checkpoint(consumer, sequence)?;
                *place = sequence;
            }
        }
        self.0.feed.forget();
        Ok(())
    }

    fn watch(&self, key: &Key) -> Box<dyn Watch> {
        self.0.watchers.watch(keys::encode_any(key))
    }
}
