//! The change feed, and waiting for one item.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use ports::{Change, Changes, Clock, Item, Key, Place, Result, Token, Watch};
use tokio::sync::Notify;

use super::{lock, records::Table};
use crate::clock::within;

/// How many parts of the feed are read apart from each other.
const SHARDS: usize = 4;

/// What was changed, by shard.
#[derive(Default)]
pub(super) struct Feed {
    inner: Mutex<Inner>,
    news: Notify,
    watches: Watches,
}

/// Who waits for which item.
type Watches = Arc<Mutex<HashMap<Key, Vec<Arc<Slot>>>>>;

#[derive(Default)]
struct Inner {
    shards: [Shard; SHARDS],
    /// How many changes of each shard a consumer is done with.
    consumers: BTreeMap<String, [usize; SHARDS]>,
    /// The shard that is read next.
    turn: usize,
    /// Whether changes are forgotten that every consumer has read.
    forgets: bool,
}

/// A part of the feed.
#[derive(Default)]
struct Shard {
    /// The changes that are kept.
    changes: VecDeque<Change>,
    /// How many were forgotten before them.
    forgotten: usize,
}

/// What a watch knows of its item.
#[derive(Default)]
struct Slot {
    newest: Mutex<Option<(Token, Item)>>,
    changed: Notify,
}

impl Feed {
    /// From now on a change is forgotten once all consumers that there are have read it.
    pub(super) fn forget_what_was_read(&self) {
        lock(&self.inner).forgets = true;
    }

    /// One more change. All changes of a partition are in one shard.
    pub(super) fn push(&self, token: Token, key: Key, old: Option<Item>, new: Option<Item>) {
        if let Some(slots) = lock(&self.watches).get(&key) {
            for slot in slots {
                *lock(&slot.newest) = Some((token, new.clone().unwrap_or_default()));
                slot.changed.notify_one();
            }
        }
        let shard = key.partition.bytes().map(usize::from).sum::<usize>() % SHARDS;
        let mut inner = lock(&self.inner);
        let Shard { changes, forgotten } = &mut inner.shards[shard];
        let sequence = ((*forgotten + changes.len()) as u64 + 1).into();
        let place = Place { shard: format!("shard-{shard}").into(), sequence };
        changes.push_back(Change { place, key, old, new });
        self.news.notify_waiters();
    }
}

impl Inner {
    /// Forgets what every consumer has read of a shard.
    fn forget(&mut self, shard: usize) {
        let read = self.consumers.values().map(|done| done[shard]).min().unwrap_or(0);
        let Shard { changes, forgotten } = &mut self.shards[shard];
        changes.drain(..read.saturating_sub(*forgotten).min(changes.len()));
        *forgotten = read.max(*forgotten);
    }

    /// The next batch of whichever shard has one, in turns.
    fn next(&mut self, consumer: &str, max: usize) -> Vec<Change> {
        let done = self.consumers.get(consumer).copied().unwrap_or_default();
        self.turn += 1;
        for offset in 0..SHARDS {
            let shard = (self.turn + offset) % SHARDS;
            let Shard { changes, forgotten } = &self.shards[shard];
            let read = done[shard].saturating_sub(*forgotten);
            if read < changes.len() {
                return changes.range(read..).take(max).cloned().collect();
            }
        }
        Vec::new()
    }
}

#[async_trait]
impl Changes for Table {
    async fn read(&self, consumer: &str, max: usize, wait: Duration) -> Result<Vec<Change>> {
        let until_us = self.clock.now_us() + wait.as_micros() as u64;
        loop {
            self.expire();
            let news = self.feed.news.notified();
            let batch = lock(&self.feed.inner).next(consumer, max);
            let left_us = until_us.saturating_sub(self.clock.now_us());
            if !batch.is_empty() || left_us == 0 {
                return Ok(batch);
            }
            let _ = within(&*self.clock, Duration::from_micros(left_us), news).await;
        }
    }

    async fn checkpoint(&self, consumer: &str, place: &Place) -> Result<()> {
        let invalid = || ports::Error::Invalid(format!("no place of this feed: {place:?}"));
        let number = place.shard.strip_prefix("shard-").and_then(|shard| shard.parse().ok());
        let shard: usize = number.ok_or_else(invalid)?;
        let sequence = place.sequence.number().ok_or_else(invalid)? as usize;
        let mut inner = lock(&self.feed.inner);
        let done = inner.consumers.entry(consumer.to_owned()).or_default();
        let done = done.get_mut(shard).ok_or_else(invalid)?;
        *done = sequence.max(*done);
        if inner.forgets {
            inner.forget(shard);
        }
        Ok(())
    }

    fn watch(&self, key: &Key) -> Box<dyn Watch> {
        let slot = Arc::new(Slot::default());
        lock(&self.feed.watches).entry(key.clone()).or_default().push(slot.clone());
        let (clock, watches) = (self.clock.clone(), self.feed.watches.clone());
        Box::new(SimWatch { key: key.clone(), slot, clock, watches })
    }
}

struct SimWatch {
    key: Key,
    slot: Arc<Slot>,
    clock: Arc<dyn Clock>,
    watches: Watches,
}

#[async_trait]
impl Watch for SimWatch {
    async fn changed(
        &mut self,
        patience: Duration,
        _usual: Duration,
    ) -> Result<Option<(Token, Item)>> {
        let change = async {
            loop {
                if let Some(newest) = lock(&self.slot.newest).take() {
                    return newest;
                }
                self.slot.changed.notified().await;
            }
        };
        Ok(within(&*self.clock, patience, change).await)
    }
}

impl Drop for SimWatch {
    fn drop(&mut self) {
        let mut watches = lock(&self.watches);
        if let Some(slots) = watches.get_mut(&self.key) {
            slots.retain(|slot| !Arc::ptr_eq(slot, &self.slot));
            if slots.is_empty() {
                watches.remove(&self.key);
            }
        }
    }
}
