//! When each message of a queue becomes visible, in order.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

#[derive(Default)]
pub(super) struct Index {
    order: BTreeSet<(u64, Arc<str>)>,
    messages: HashMap<Arc<str>, State>,
}

#[derive(Clone, Copy)]
struct State {
    visible_ms: u64,
    receives: u32,
}

impl Index {
    /// Adds the message or moves it to another time.
    pub(super) fn insert(&mut self, id: &str, visible_ms: u64, receives: u32) {
        let id = self.remove(id).unwrap_or_else(|| id.into());
        self.order.insert((visible_ms, id.clone()));
        self.messages.insert(id, State { visible_ms, receives });
    }

    /// Forgets the message.
    pub(super) fn remove(&mut self, id: &str) -> Option<Arc<str>> {
        let (id, state) = self.messages.remove_entry(id)?;
        let place = (state.visible_ms, id);
        self.order.remove(&place);
        Some(place.1)
    }

    /// The messages that are visible at `now`, and how often each was received.
    pub(super) fn visible(&self, now_ms: u64) -> impl Iterator<Item = (Arc<str>, u32)> {
        let due = self.order.iter().take_while(move |(visible_ms, _)| *visible_ms <= now_ms);
        due.map(|(_, id)| (id.clone(), self.receives(id).unwrap_or(0)))
    }

    /// When the next message becomes visible.
    pub(super) fn next(&self) -> Option<u64> {
        self.order.first().map(|(visible_ms, _)| *visible_ms)
    }

    /// How often the message was received.
    pub(super) fn receives(&self, id: &str) -> Option<u32> {
        self.messages.get(id).map(|state| state.receives)
    }
}
