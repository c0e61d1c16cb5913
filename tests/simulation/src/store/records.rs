//! The table. Every write is visible, on disk and in the feed at once.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use ports::{Clock, Error, Item, Key, Order, Page, Query, Records, Result, Token, Write, records};

use super::{feed::Feed, item, lock};

/// A write that took place.
pub struct Committed<'a> {
    /// The item.
    pub key: &'a Key,
    /// As it was.
    pub old: Option<&'a Item>,
    /// As it is.
    pub new: Option<&'a Item>,
}

/// Sees every write.
pub type Observer = Arc<dyn Fn(&Committed) + Send + Sync>;

/// The table and its feed.
pub(super) struct Table {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) inner: Mutex<Inner>,
    pub(super) feed: Feed,
}

#[derive(Default)]
pub(super) struct Inner {
    partitions: HashMap<String, BTreeMap<String, Item>>,
    /// What goes when, by epoch second.
    expiring: BTreeSet<(u64, Key)>,
    /// How many writes there were.
    writes: u64,
    observer: Option<Observer>,
}

impl Table {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, inner: Mutex::default(), feed: Feed::default() }
    }

    pub(super) fn observe(&self, observer: Observer) {
        lock(&self.inner).observer = Some(observer);
    }

    pub(super) fn items(&self) -> Vec<(Key, Item)> {
        let inner = lock(&self.inner);
        let rows = inner.partitions.iter().flat_map(|(partition, rows)| {
            rows.iter().map(move |(sort, item)| (Key::new(partition, sort), item.clone()))
        });
        let mut items: Vec<_> = rows.collect();
        items.sort_by(|a, b| a.0.cmp(&b.0));
        items
    }

    /// Removes what expired, as changes like any others.
    pub(super) fn expire(&self) {
        let now = self.clock.now_ms() / 1000;
        let mut inner = lock(&self.inner);
        while let Some((second, key)) = inner.expiring.first().cloned()
            && second < now
        {
            self.commit(&mut inner, key, None);
        }
    }

    /// Writes all or nothing, each condition judged on the state before.
    fn apply(&self, writes: Vec<Write>) -> Result<Token> {
        writes.iter().try_for_each(item::check)?;
        let mut inner = lock(&self.inner);
        let mut made = Vec::with_capacity(writes.len());
        for write in writes {
            let old = inner.get(write.key());
            if !item::holds(write.condition(), old)? {
                return Err(Error::ConditionFailed(old.cloned()));
            }
            made.push((write.key().clone(), item::after(write, old)?));
        }
        for (key, new) in made {
            self.commit(&mut inner, key, new);
        }
        Ok(Token(inner.writes))
    }

    fn commit(&self, inner: &mut Inner, key: Key, new: Option<Item>) {
        let rows = inner.partitions.entry(key.partition.clone()).or_default();
        let old = match &new {
            Some(item) => rows.insert(key.sort.clone(), item.clone()),
            None => rows.remove(&key.sort),
        };
        if rows.is_empty() {
            inner.partitions.remove(&key.partition);
        }
        let [before, after] = [&old, &new].map(|image| image.as_ref().and_then(item::expires_at));
        if before != after {
            inner.expiring.extend(after.map(|second| (second, key.clone())));
            if let Some(second) = before {
                inner.expiring.remove(&(second, key.clone()));
            }
        }
        if old.is_none() && new.is_none() {
            return;
        }
        inner.writes += 1;
        if let Some(observer) = inner.observer.clone() {
            observer(&Committed { key: &key, old: old.as_ref(), new: new.as_ref() });
        }
        self.feed.push(Token(inner.writes), key, old, new);
    }
}

impl Inner {
    fn get(&self, key: &Key) -> Option<&Item> {
        self.partitions.get(&key.partition)?.get(&key.sort)
    }
}

#[async_trait]
impl Records for Table {
    async fn get(&self, key: &Key) -> Result<Option<Item>> {
        key.check()?;
        Ok(lock(&self.inner).get(key).cloned())
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        records::check_batch(keys)?;
        keys.iter().try_for_each(Key::check)?;
        let inner = lock(&self.inner);
        Ok(keys.iter().map(|key| inner.get(key).cloned()).collect())
    }

    async fn write(&self, write: Write) -> Result<Token> {
        self.apply(vec![write])
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<Token> {
        Write::check_transaction(&writes)?;
        self.apply(writes)
    }

    async fn query(&self, query: Query) -> Result<Page> {
        query.check()?;
        let inner = lock(&self.inner);
        let Some(rows) = inner.partitions.get(&query.partition) else { return Ok(Page::default()) };
        let ascending = query.order == Order::Ascending;
        let (after, until) = (query.after.as_deref(), query.until.as_deref());
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let to = until.map_or(Bound::Unbounded, Bound::Included);
        let begins = |sort: &str| sort.starts_with(&query.prefix);
        // nothing that begins so is before the prefix itself
        let prefix: Bound<&str> = Bound::Included(&query.prefix);
        let low = match (ascending, after.is_some_and(|after| *after >= *query.prefix)) {
            (true, true) => from,
            (true, false) => prefix,
            (false, _) => match until {
                Some(until) if *until > *query.prefix => to,
                _ => prefix,
            },
        };
        let high = if ascending { to } else { from };
        if is_empty(low, high) {
            return Ok(Page::default());
        }
        let range = rows.range::<str, _>((low, high));
        let found = |(sort, item): (&String, &Item)| (sort.clone(), item.clone());
        let limit = query.limit + 1;
        let mut items: Vec<_> = if ascending {
            range.take_while(|(sort, _)| begins(sort)).take(limit).map(found).collect()
        } else {
            let reversed = range.rev().skip_while(|(sort, _)| !begins(sort));
            reversed.take_while(|(sort, _)| begins(sort)).take(limit).map(found).collect()
        };
        let more = items.len() > query.limit;
        items.truncate(query.limit);
        let next = items.last().filter(|_| more).map(|(sort, _)| sort.clone());
        Ok(Page { items, next })
    }

    async fn durable(&self, _token: Token) -> Result<()> {
        Ok(())
    }
}

/// Whether nothing is between the bounds; `BTreeMap::range` panics on some such ranges.
fn is_empty(low: Bound<&str>, high: Bound<&str>) -> bool {
    match (low, high) {
        (Bound::Included(low), Bound::Included(high)) => low > high,
        (
            Bound::Included(low) | Bound::Excluded(low),
            Bound::Excluded(high) | Bound::Included(high),
        ) => low >= high,
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
    }
}
