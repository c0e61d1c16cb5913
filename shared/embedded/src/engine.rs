//! The engine and the one critical section of the store, in which a write is judged, numbered and
//! committed with its entry in the change feed: so it is ordered and visible at once.

use std::{
    path::Path,
    sync::{Arc, MutexGuard},
};

use clock::SystemClock;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};
use ports::{Clock, Result};

use crate::{
    durability::Durability, feed::Feed, journal::cut_torn_end, lock::Mutex, syncer::Syncer,
    table::Staged, watch::Watchers,
};

/// Cache of blocks read from disk; the operating system caches the files behind it anyway.
const CACHE: u64 = 8 << 20;

/// How much a keyspace collects in memory before it is written out as a sorted file.
const MEMTABLE: u64 = 16 << 20;

/// With more journals than this, keyspaces are written out early to be rid of the oldest: all of them
/// are read again after a crash. The least that the engine allows.
const JOURNALS: u64 = 64 << 20;

/// Where `meta` keeps the greatest number given out, as far as the feed was trimmed.
const LAST: &str = "last";

pub(crate) struct Engine {
    pub(crate) database: Database,
    /// The items, as JSON.
    pub(crate) records: Keyspace,
    /// When items expire: the second and the item's key.
    pub(crate) expiry: Keyspace,
    /// The messages of the queues.
    pub(crate) messages: Keyspace,
    /// What the store keeps for itself.
    meta: Keyspace,
    pub(crate) clock: Arc<SystemClock>,
    pub(crate) feed: Feed,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) syncer: Syncer,
    ordered: Mutex<Ordered>,
}

/// What is guarded by the critical section.
struct Ordered {
    /// The number of the last commit or change.
    last: u64,
    /// The newest segment of the feed.
    segment: Keyspace,
}

impl Engine {
    /// Opens or creates the engine in `folder`, with everything that was committed on disk.
    pub(crate) fn open(
        folder: &Path,
        durability: Durability,
        clock: Arc<SystemClock>,
    ) -> Result<Self, fjall::Error> {
        let database = match open(folder) {
            Err(fjall::Error::JournalRecovery(cause)) => {
                let bytes = cut_torn_end(folder)?;
                tracing::error!(
                    ?cause,
                    cut.bytes = bytes,
                    "the journal had a torn end, as after a loss of power; it is cut, with a copy \
                     in the folder `store`"
                );
                open(folder)?
            }
            opened => opened?,
        };
        let keyspace = |name| database.keyspace(name, options);
        let (records, expiry) = (keyspace("records")?, keyspace("expiry")?);
        let (messages, meta) = (keyspace("messages")?, keyspace("meta")?);
        let (feed, segment, last) = Feed::open(&database, &meta)?;
        let last = last.max(stored_number(&meta, LAST)?);
        database.persist(PersistMode::SyncAll)?;
        Ok(Self {
            syncer: Syncer::new(durability, database.clone(), last),
            ordered: Mutex::new(Ordered { last, segment }),
            watchers: Arc::default(),
            database,
            records,
            expiry,
            messages,
            meta,
            clock,
            feed,
        })
    }

    /// Enters the critical section.
    pub(crate) fn section(&self) -> Result<Section<'_>> {
        let ordered = self.ordered.lock();
        self.syncer.check()?;
        Ok(Section { engine: self, ordered })
    }

    /// The number of the last commit. What is visible is visible before the section ends in which it
    /// was numbered, so whoever saw it waits here for its number.
    pub(crate) fn last(&self) -> Result<u64> {
        Ok(self.section()?.ordered.last)
    }

    /// Begins a new segment of the feed when the newest is full, and forgets those that every
    /// consumer is done with.
    pub(crate) fn tend_feed(&self) -> Result<(), fjall::Error> {
        if self.feed.is_full(self.ordered.lock().last) {
            // Made outside of the critical section: it writes to disk.
            let segment = self.feed.create_segment()?;
            let mut ordered = self.ordered.lock();
            ordered.segment = segment.clone();
            self.feed.push_segment(segment, ordered.last + 1);
        }
        let obsolete = self.feed.obsolete(self.clock.now_ms())?;
        if obsolete.is_empty() {
            return Ok(());
        }
        // The numbers go on where they were even if what is left of the feed is lost in a crash.
        let last = self.ordered.lock().last;
        self.meta.insert(LAST, last.to_be_bytes())?;
        self.database.persist(PersistMode::SyncData)?;
        for segment in obsolete {
            self.database.delete_keyspace(segment)?;
        }
        Ok(())
    }

    /// Remembers a consumer's place in the feed.
    pub(crate) fn store_checkpoint(&self, consumer: &str, sequence: u64) -> Result<()> {
        self.syncer.check()?;
        self.meta
            .insert(checkpoint_key(consumer), sequence.to_be_bytes())
            .map_err(ports::Error::unavailable)
    }
}

/// The critical section, for as long as this lives.
pub(crate) struct Section<'a> {
    engine: &'a Engine,
    ordered: MutexGuard<'a, Ordered>,
}

impl Section<'_> {
    /// Commits what was staged, each change under the next number; returns the last of them.
    pub(crate) fn commit(&mut self, staged: Staged) -> Result<u64> {
        let Staged { mut batch, changes } = staged;
        let before = self.ordered.last;
        let mut last = before;
        for change in &changes {
            last += 1;
            let key = last.to_be_bytes();
            batch.insert(&self.ordered.segment, key.as_slice(), change.entry.clone());
        }
        self.commit_as(batch, last)?;
        self.engine.feed.remember(before, changes);
        Ok(last)
    }

    /// Commits a batch that is no change of a record, and only takes a number.
    pub(crate) fn commit_plain(&mut self, batch: OwnedWriteBatch) -> Result<u64> {
        self.commit_as(batch, self.ordered.last + 1)
    }

    fn commit_as(&mut self, batch: OwnedWriteBatch, last: u64) -> Result<u64> {
        batch.commit().map_err(ports::Error::unavailable)?;
        self.ordered.last = last;
        self.engine.syncer.committed(last);
        Ok(last)
    }
}

fn open(folder: &Path) -> Result<Database, fjall::Error> {
    Database::builder(folder)
        .cache_size(CACHE)
        .max_journaling_size(JOURNALS)
        .manual_journal_persist(true)
        // One of them flushes while the other compacts: a single one would stall writers.
        .worker_threads(2)
        .open()
}

/// How every keyspace is made.
pub(crate) fn options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE).manual_journal_persist(true)
}

/// The key in `meta` of a consumer's place in the feed.
pub(crate) fn checkpoint_key(consumer: &str) -> String {
    format!("{CHECKPOINT}{consumer}")
}

/// What the keys of all consumers' places begin with.
pub(crate) const CHECKPOINT: &str = "checkpoint/";

/// The number kept under `key`; 0 when there is none.
fn stored_number(keyspace: &Keyspace, key: &str) -> Result<u64, fjall::Error> {
    Ok(keyspace.get(key)?.map_or(0, |bytes| number(&bytes)))
}

/// A number as it is stored; anything else counts as 0.
pub(crate) fn number(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_be_bytes)
}
