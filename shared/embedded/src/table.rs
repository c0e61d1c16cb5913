//! The table: [`Records`] on the engine.

mod prepared;
mod stored;

use std::sync::Arc;

use async_trait::async_trait;
use fjall::{OwnedWriteBatch, Readable, Slice};
use ports::{
    Clock, Error, Item, Key, Order, Page, Query, Records, Result, Token, Write,
    records::check_batch,
};

use self::{
    prepared::{EXPIRES_AT, Outcome, Prepared},
    stored::{Attributes, damaged, item},
};
use crate::{
    engine::Engine,
    expiry,
    feed::{Entry, Recent},
    keys,
};

/// About how many bytes of JSON a page may have (DynamoDB's 1 MB).
const MAX_PAGE_BYTES: usize = 1 << 20;

/// The records of the store.
pub(crate) struct Table(pub(crate) Arc<Engine>);

impl Table {
    /// Judges and commits `writes` as one.
    ///
    /// The work is done on a guess of what the items are, before the critical section: within it
    /// the guess is only verified, and the work done again in the rare case that it was wrong.
    fn commit(&self, writes: &[Prepared]) -> Result<Token> {
        let engine = &*self.0;
        let mut outcomes = Vec::with_capacity(writes.len());
        for write in writes {
            let guess = if write.expects_none() { None } else { read(engine, &write.key)? };
            outcomes.push(write.judge(guess)?);
        }
        let mut staged = Staged::new(engine, writes, &outcomes);
        let mut section = engine.section()?;
        let mut guessed = true;
        for (write, outcome) in writes.iter().zip(&mut outcomes) {
            let old = read(engine, &write.key)?;
            if old != outcome.old {
                *outcome = write.judge(old)?;
                guessed = false;
            }
        }
        if !guessed {
            staged = Staged::new(engine, writes, &outcomes);
        }
        let token = Token(section.commit(staged)?);
        drop(section);
        for (write, outcome) in writes.iter().zip(outcomes) {
            let (key, new) = (&write.key, outcome.new.map(|new| new.item));
            tracing::trace!(key = %key.escape_ascii(), bytes = new.as_ref().map_or(0, |new| new.json().len()), "stored");
            if outcome.old.is_some() || new.is_some() {
                engine.watchers.notify(key, token, new);
            }
        }
        engine.feed.arrived.notify_waiters();
        Ok(token)
    }
}

/// A batch of changed records, entries of the index of expiry, and entries for the feed.
pub(crate) struct Staged {
    pub(crate) batch: OwnedWriteBatch,
    /// For these the feed's keys are missing: they are numbers of the order, and known in it only.
    pub(crate) changes: Vec<Recent>,
}

impl Staged {
    fn new(engine: &Engine, writes: &[Prepared], outcomes: &[Outcome]) -> Self {
        let batch = OwnedWriteBatch::with_capacity(engine.database.clone(), 3 * writes.len());
        let mut staged = Self { batch, changes: Vec::with_capacity(writes.len()) };
        let time_ms = engine.clock.now_ms();
        for (write, outcome) in writes.iter().zip(outcomes) {
            staged.add(engine, time_ms, &write.key, outcome);
        }
        staged
    }

    fn add(&mut self, engine: &Engine, time_ms: u64, key: &[u8], outcome: &Outcome) {
        let Outcome { old, new, expires_at } = outcome;
        match new {
            Some(new) => self.batch.insert(&engine.records, key, new.json.clone()),
            None if old.is_none() => return,
            None => self.batch.remove(&engine.records, key),
        }
        if let Some(second) = expires_at {
            self.batch.insert(&engine.expiry, expiry::index_key(*second, key), []);
        }
        let json = new.as_ref().map(|new| &*new.json);
        let entry = Entry { time_ms, key, old: old.as_deref(), new: json }.encode();
        self.changes.push(Recent { entry, new: new.as_ref().map(|new| new.item.clone()) });
    }
}

/// Removes the items that `entries` of the index of expiry name, where they did expire before the
/// second `now`, and the entries.
pub(crate) fn expire(engine: &Engine, entries: &[Slice], now: u64) -> Result<()> {
    let mut section = engine.section()?;
    let mut staged = Staged::new(engine, &[], &[]);
    let mut expired = Vec::new();
    for entry in entries {
        staged.batch.remove(&engine.expiry, entry.clone());
        let Some((_, key)) = entry.split_first_chunk::<{ size_of::<u64>() }>() else { continue };
        let Some(old) = read(engine, key)? else { continue };
        // An item may have several entries, and be put off since.
        let due = Attributes::of(&old)?.number(EXPIRES_AT).is_some_and(|second| second < now);
        if due && !expired.contains(&key) {
            let outcome = Outcome { old: Some(old), new: None, expires_at: None };
            staged.add(engine, engine.clock.now_ms(), key, &outcome);
            expired.push(key);
        }
    }
    let token = Token(section.commit(staged)?);
    drop(section);
    for key in expired {
        engine.watchers.notify(key, token, None);
    }
    engine.feed.arrived.notify_waiters();
    Ok(())
}

fn read(engine: &Engine, key: &[u8]) -> Result<Option<Slice>> {
    engine.records.get(key).map_err(Error::unavailable)
}

#[async_trait]
impl Records for Table {
    async fn get(&self, key: &Key) -> Result<Option<Item>> {
        let key = keys::encode(key)?;
        // A snapshot, so that whoever sees one write of a transaction sees the others too.
        let snapshot = self.0.database.snapshot();
        let json = snapshot.get(&self.0.records, key).map_err(Error::unavailable)?;
        Ok(json.as_ref().map(item))
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        check_batch(keys)?;
        let snapshot = self.0.database.snapshot();
        let read = |key| {
            let json = snapshot.get(&self.0.records, keys::encode(key)?);
            Ok(json.map_err(Error::unavailable)?.as_ref().map(item))
        };
        keys.iter().map(read).collect()
    }

    async fn write(&self, write: Write) -> Result<Token> {
        self.commit(&[Prepared::new(write)?])
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<Token> {
        Write::check_transaction(&writes)?;
        let writes = writes.into_iter().map(Prepared::new).collect::<Result<Vec<_>>>()?;
        self.commit(&writes)
    }

    async fn query(&self, query: Query) -> Result<Page> {
        let range = keys::range(&query)?;
        let mut page = Page::default();
        if keys::is_empty(&range) {
            return Ok(page);
        }
        let mut bytes = 0;
        let mut pairs = self.0.database.snapshot().range(&self.0.records, range);
        loop {
            let pair = match query.order {
                Order::Ascending => pairs.next(),
                Order::Descending => pairs.next_back(),
            };
            let Some(pair) = pair else { return Ok(page) };
            if page.items.len() == query.limit || bytes > MAX_PAGE_BYTES {
                page.next = page.items.last().map(|(sort, _)| sort.clone());
                return Ok(page);
            }
            let (key, json) = pair.into_inner().map_err(Error::unavailable)?;
            bytes += json.len();
            let sort = keys::sort_key(&key, &query.partition).ok_or_else(damaged)?;
            page.items.push((sort.to_owned(), item(&json)));
        }
    }

    async fn durable(&self, token: Token) -> Result<()> {
        let number = match token {
            Token::LATEST => self.0.last()?,
            Token(number) => number,
        };
        self.0.syncer.durable(number).await
    }
}
