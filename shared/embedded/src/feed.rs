//! The change feed on disk: segments of some ten thousand entries, each a keyspace of its own, so
//! that what every consumer is done with goes by dropping whole segments, mostly before the engine
//! has even written them out of its memory. Entries are committed with the change they describe.

mod consumers;
mod entry;
mod recent;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, VecDeque},
    ops::Bound,
};

use fjall::{Database, Guard, Keyspace, Readable};
use ports::{Change, Error, Result};
use tokio::sync::Notify;

pub(crate) use consumers::LocalChanges;
pub(crate) use entry::Entry;
pub(crate) use recent::Recent;

use crate::{
    engine::{CHECKPOINT, number, options},
    lock::{Mutex, RwLock},
};

/// A segment is followed by the next when it has so many entries.
const SEGMENT: u64 = 50_000;

/// Entries older than this are forgotten even if a consumer has not seen them.
const KEPT_MS: u64 = 24 * 60 * 60 * 1000;

const NAME: &str = "feed-";

#[derive(Clone)]
struct Segment {
    /// Its entries have this number or a greater one.
    first: u64,
    entries: Keyspace,
}

pub(crate) struct Feed {
    database: Database,
    /// Oldest first; never empty.
    segments: RwLock<VecDeque<Segment>>,
    /// The name of the next segment.
    next_name: Mutex<u64>,
    /// How far each consumer is done, with a name that was seen once.
    consumers: Mutex<HashMap<String, u64>>,
    recent: Mutex<recent::Tail>,
    /// Told after every commit.
    pub(crate) arrived: Notify,
}

impl Feed {
    /// The feed, its newest segment, and the greatest number known from it.
    pub(crate) fn open(
        database: &Database,
        meta: &Keyspace,
    ) -> Result<(Self, Keyspace, u64), fjall::Error> {
        let mut last = 0;
        let mut consumers = HashMap::new();
        for pair in meta.prefix(CHECKPOINT) {
            let (key, value) = pair.into_inner()?;
            let name = String::from_utf8_lossy(&key[CHECKPOINT.len()..]).into_owned();
            last = last.max(number(&value));
            consumers.insert(name, number(&value));
        }
        let mut names: Vec<_> = database
            .list_keyspace_names()
            .iter()
            .filter_map(|name| name.strip_prefix(NAME)?.parse::<u64>().ok())
            .collect();
        names.sort_unstable();
        let mut segments = VecDeque::new();
        for &name in &names {
            let entries = database.keyspace(&segment_name(name), options)?;
            // One that is empty after a crash starts behind those before it.
            let first = match entries.first_key_value() {
                Some(entry) => number(&entry.key()?),
                None => last + 1,
            };
            if let Some(entry) = entries.last_key_value() {
                last = last.max(number(&entry.key()?));
            }
            segments.push_back(Segment { first, entries });
        }
        let next_name = names.last().map_or(0, |name| name + 1);
        let feed = Self {
            database: database.clone(),
            segments: RwLock::default(),
            next_name: Mutex::new(next_name),
            consumers: Mutex::new(consumers),
            recent: Mutex::new(recent::Tail::behind(last)),
            arrived: Notify::new(),
        };
        if segments.is_empty() {
            let entries = feed.create_segment()?;
            segments.push_back(Segment { first: last + 1, entries });
        }
        let newest = segments[segments.len() - 1].entries.clone();
        *feed.segments.write() = segments;
        Ok((feed, newest, last))
    }

    /// Whether the newest segment has enough, given the number of the last entry.
    pub(crate) fn is_full(&self, last: u64) -> bool {
        self.segments.read().back().is_some_and(|newest| last >= newest.first + SEGMENT)
    }

    /// Makes the keyspace of one more segment.
    pub(crate) fn create_segment(&self) -> Result<Keyspace, fjall::Error> {
        let mut next = self.next_name.lock();
        let keyspace = self.database.keyspace(&segment_name(*next), options)?;
        *next += 1;
        Ok(keyspace)
    }

    /// Entries from `first` on go to `entries`.
    pub(crate) fn push_segment(&self, entries: Keyspace, first: u64) {
        self.segments.write().push_back(Segment { first, entries });
    }

    /// The changes that were just committed behind number `before`.
    pub(crate) fn remember(&self, before: u64, changes: Vec<Recent>) {
        self.recent.lock().push(before, changes);
    }

    /// Gives up the memory of what every consumer is done with.
    fn forget(&self) {
        let done = self.done();
        self.recent.lock().forget(done);
    }

    /// How far every consumer is done. As long as there is none, all may still be wanted.
    fn done(&self) -> u64 {
        self.consumers.lock().values().copied().min().unwrap_or(0)
    }

    /// Takes out the segments that every consumer is done with, or that are too old.
    pub(crate) fn obsolete(&self, now_ms: u64) -> Result<Vec<Keyspace>, fjall::Error> {
        let done = self.done();
        let mut obsolete = Vec::new();
        loop {
            let mut segments = self.segments.write();
            let (Some(oldest), Some(second)) = (segments.front(), segments.get(1)) else { break };
            let is_done = second.first <= done.saturating_add(1);
            if !is_done && !is_old(&oldest.entries, now_ms)? {
                break;
            }
            obsolete.extend(segments.pop_front().map(|segment| segment.entries));
        }
        Ok(obsolete)
    }

    /// At most `max` changes behind number `done`, oldest first.
    fn read(&self, done: u64, max: usize) -> Result<Vec<Change>> {
        let recent = self.recent.lock().read(done, max);
        if let Some(recent) = recent {
            return recent.iter().map(|(sequence, recent)| recent.change(*sequence)).collect();
        }
        let segments: Vec<Segment> = {
            let segments = self.segments.read();
            let behind =
                segments.partition_point(|segment| segment.first <= done.saturating_add(1));
            segments.range(behind.saturating_sub(1)..).cloned().collect()
        };
        let snapshot = self.database.snapshot();
        let mut changes = Vec::new();
        for segment in segments {
            let behind = (Bound::Excluded(done.to_be_bytes()), Bound::<[u8; 8]>::Unbounded);
            for pair in snapshot.range(&segment.entries, behind) {
                if changes.len() == max {
                    return Ok(changes);
                }
                changes.push(decode(pair)?);
            }
        }
        Ok(changes)
    }
}

fn decode(pair: Guard) -> Result<Change> {
    let (key, value) = pair.into_inner().map_err(Error::unavailable)?;
    let sequence = number(&key);
    Entry::decode(&value).and_then(|entry| entry.change(sequence)).ok_or_else(|| damaged(sequence))
}

fn damaged(sequence: u64) -> Error {
    Error::Unavailable(format!("change {sequence} of the feed is damaged"))
}

fn is_old(entries: &Keyspace, now_ms: u64) -> Result<bool, fjall::Error> {
    let Some(newest) = entries.last_key_value() else { return Ok(true) };
    let value = newest.value()?;
    Ok(Entry::decode(&value).is_none_or(|entry| entry.time_ms + KEPT_MS < now_ms))
}

fn segment_name(number: u64) -> String {
    format!("{NAME}{number:012}")
}
