//! The end of the feed in memory. A consumer that keeps up reads there what writers left: nothing is
//! fetched from the engine, and an item that a request has read is not read again.

use std::collections::VecDeque;

use fjall::Slice;
use ports::{Change, Item, Result};

use super::{Entry, damaged};

/// How much is kept for consumers, in bytes of entries: several of their batches. Those that are
/// further behind read what is on disk.
pub(super) const MAX_BYTES: usize = 8 << 20;

/// A change as it was made.
#[derive(Clone)]
pub(crate) struct Recent {
    /// As it is stored.
    pub(crate) entry: Slice,
    /// The item that it made.
    pub(crate) new: Option<Item>,
}

impl Recent {
    pub(super) fn change(&self, sequence: u64) -> Result<Change> {
        Entry::decode(&self.entry)
            .and_then(|entry| entry.change_to(sequence, self.new.clone()))
            .ok_or_else(|| damaged(sequence))
    }
}

/// All changes behind a number.
pub(super) struct Tail {
    behind: u64,
    /// With their numbers, in order.
    changes: VecDeque<(u64, Recent)>,
    bytes: usize,
}

impl Tail {
    pub(super) fn behind(number: u64) -> Self {
        Self { behind: number, changes: VecDeque::new(), bytes: 0 }
    }

    /// Adds the changes that were committed behind number `before`, the greatest until then.
    pub(super) fn push(&mut self, before: u64, changes: Vec<Recent>) {
        for (number, change) in (before + 1..).zip(changes) {
            self.bytes += change.entry.len();
            self.changes.push_back((number, change));
        }
        while self.bytes > MAX_BYTES {
            self.pop();
        }
    }

    /// Forgets everything up to `number`.
    pub(super) fn forget(&mut self, number: u64) {
        while self.changes.front().is_some_and(|(oldest, _)| *oldest <= number) {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some((number, change)) = self.changes.pop_front() {
            self.bytes -= change.entry.len();
            self.behind = number;
        }
    }

    /// At most `max` changes behind number `done`, oldest first; `None` when there are older ones
    /// than these.
    pub(super) fn read(&self, done: u64, max: usize) -> Option<Vec<(u64, Recent)>> {
        if done < self.behind {
            return None;
        }
        let first = self.changes.partition_point(|(number, _)| *number <= done);
        Some(self.changes.range(first..).take(max).cloned().collect())
    }
}
