//! Waiting for one item to change. Writers hand the new item over in the write path itself: nobody
//! polls and nobody reads again.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use ports::{Item, Result, Token, Watch};
use tokio::sync::Notify;

use crate::lock::Mutex;

/// What a watch knows of its item.
#[derive(Default)]
struct Slot {
    newest: Mutex<Newest>,
    changed: Notify,
}

#[derive(Default)]
struct Newest {
    /// The latest write seen: writers come here after the critical section, in any order.
    token: Token,
    /// The state that the watch has not returned yet: the item, or nothing for a deleted one.
    state: Option<Option<Item>>,
}

/// All watches, by the engine's key.
#[derive(Default)]
pub(crate) struct Watchers {
    slots: Mutex<HashMap<Vec<u8>, Vec<Arc<Slot>>>>,
    /// How many there are, so that a write without any watch costs one load.
    count: AtomicUsize,
}

impl Watchers {
    /// Starts to watch `key`.
    pub(crate) fn watch(self: &Arc<Self>, key: Vec<u8>) -> Box<dyn Watch> {
        let slot = Arc::new(Slot::default());
        let mut slots = self.slots.lock();
        // Before the lock is given back: whoever writes after this returned sees it.
        self.count.fetch_add(1, Ordering::SeqCst);
        slots.entry(key.clone()).or_default().push(slot.clone());
        Box::new(LocalWatch { key, slot, watchers: self.clone() })
    }

    /// Hands the new state of `key` to whoever watches it.
    pub(crate) fn notify(&self, key: &[u8], token: Token, item: Option<Item>) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let slots = self.slots.lock();
        for slot in slots.get(key).into_iter().flatten() {
            slot.put(token, item.clone());
        }
    }
}

impl Slot {
    fn put(&self, token: Token, item: Option<Item>) {
        let mut newest = self.newest.lock();
        if token >= newest.token {
            *newest = Newest { token, state: Some(item) };
            self.changed.notify_one();
        }
    }

    fn take(&self) -> Option<(Token, Option<Item>)> {
        let mut newest = self.newest.lock();
        let state = newest.state.take()?;
        Some((newest.token, state))
    }
}

struct LocalWatch {
    key: Vec<u8>,
    slot: Arc<Slot>,
    watchers: Arc<Watchers>,
}

#[async_trait]
impl Watch for LocalWatch {
    async fn changed(
        &mut self,
        patience: Duration,
        _usual: Duration,
    ) -> Result<Option<(Token, Item)>> {
        let change = async {
            loop {
                if let Some(newest) = self.slot.take() {
                    return newest;
                }
                self.slot.changed.notified().await;
            }
        };
        let Ok((token, item)) = tokio::time::timeout(patience, change).await else {
            return Ok(None);
        };
        Ok(Some((token, item.unwrap_or_default())))
    }
}

impl Drop for LocalWatch {
    fn drop(&mut self) {
        let mut slots = self.watchers.slots.lock();
        if let Some(watching) = slots.get_mut(&self.key) {
            watching.retain(|slot| !Arc::ptr_eq(slot, &self.slot));
            if watching.is_empty() {
                slots.remove(&self.key);
            }
        }
        self.watchers.count.fetch_sub(1, Ordering::SeqCst);
    }
}
