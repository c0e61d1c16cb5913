//! The table: items under a partition and a sort key, written on conditions.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{Error, Item, Result};

/// The largest item, in bytes of its JSON text. DynamoDB's limit is 400 KB of its own encoding,
/// which is smaller.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html>
pub const MAX_ITEM: usize = 390 * 1024;

/// The most writes in one transaction.
pub const MAX_TRANSACTION: usize = 100;

/// The longest partition and the longest sort key, in bytes.
pub const MAX_PART: usize = 1024;

/// The most keys of one `batch_get`.
const MAX_BATCH: usize = 100;

/// The most items of one page.
const MAX_PAGE: usize = 1000;

/// Where an item is: `partition` spreads the load, `sort` orders within it (bytewise).
/// Both are non-empty and at most 1 KB.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// The partition key.
    pub partition: String,
    /// The sort key.
    pub sort: String,
}

impl Key {
    /// The item `sort` of `partition`.
    pub fn new(partition: impl Into<String>, sort: impl Into<String>) -> Self {
        Self { partition: partition.into(), sort: sort.into() }
    }

    /// Whether its parts are well-formed.
    ///
    /// # Errors
    /// [`Invalid`](Error::Invalid) with what to change.
    pub fn check(&self) -> Result<()> {
        check_part("partition", &self.partition)?;
        check_part("sort key", &self.sort)
    }
}

/// What must hold of the item before a write, checked in the same instant as the write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    Always,
    /// There is no such item.
    Absent,
    /// There is such an item.
    Exists,
    /// There is such an item and its `version` is this.
    Version(u64),
    /// There is such an item and its map `fences` has this entry.
    Fence(String),
}

/// One write.
#[derive(Clone, Debug)]
pub enum Write {
    /// Replaces the whole item, or creates it.
    Put {
        /// Where.
        key: Key,
        /// The new item.
        item: Item,
        /// What must hold before.
        condition: Condition,
    },
    /// Sets and removes attributes of one item, leaves the others, and adds 1 to its `version`
    /// (an item without one counts as 0). Creates the item if the condition allows that.
    Update {
        /// Where.
        key: Key,
        /// Attributes to set.
        set: Item,
        /// Attributes to remove.
        remove: Vec<String>,
        /// What must hold before.
        condition: Condition,
    },
    /// Removes the item; that there is none is no error unless the condition says so.
    Delete {
        /// Where.
        key: Key,
        /// What must hold before.
        condition: Condition,
    },
}

impl Write {
    /// A put on a condition.
    pub fn put(key: Key, item: Item, condition: Condition) -> Self {
        Self::Put { key, item, condition }
    }

    /// An update that only sets attributes.
    pub fn update(key: Key, set: Item, condition: Condition) -> Self {
        Self::Update { key, set, remove: Vec::new(), condition }
    }

    /// A delete on a condition.
    pub fn delete(key: Key, condition: Condition) -> Self {
        Self::Delete { key, condition }
    }

    /// The item that the write is about.
    pub fn key(&self) -> &Key {
        match self {
            Self::Put { key, .. } | Self::Update { key, .. } | Self::Delete { key, .. } => key,
        }
    }

    /// Whether these may be one transaction, as far as that is seen without their items.
    ///
    /// # Errors
    /// [`Invalid`](Error::Invalid) for too many, or two to one item.
    pub fn check_transaction(writes: &[Self]) -> Result<()> {
        if writes.len() > MAX_TRANSACTION {
            return Err(Error::Invalid(format!(
                "{} writes in one transaction, {MAX_TRANSACTION} are allowed",
                writes.len()
            )));
        }
        let mut keys: Vec<_> = writes.iter().map(Self::key).collect();
        keys.sort_unstable();
        match keys.windows(2).find(|pair| pair[0] == pair[1]) {
            None => Ok(()),
            Some(twice) => Err(Error::Invalid(format!(
                "two writes to {} / {} in one transaction: make them one",
                twice[0].partition, twice[0].sort
            ))),
        }
    }

    /// What must hold before the write.
    pub fn condition(&self) -> &Condition {
        match self {
            Self::Put { condition, .. }
            | Self::Update { condition, .. }
            | Self::Delete { condition, .. } => condition,
        }
    }
}

/// How far the log must be on disk for a write to survive; ordered, later writes are greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(pub u64);

impl Token {
    /// Whatever anybody could read when [`Records::durable`] was called with it: for those who show
    /// what others wrote, and never saw the token of that write.
    pub const LATEST: Self = Self(u64::MAX);
}

/// The direction in which a query walks the sort keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Smallest first.
    #[default]
    Ascending,
    /// Greatest first.
    Descending,
}

/// A walk over a part of one partition.
#[derive(Clone, Debug)]
pub struct Query {
    /// The partition.
    pub partition: String,
    /// Sort keys must begin with this; empty for all.
    pub prefix: String,
    /// Start behind this sort key, in the direction of `order`; it need not exist.
    pub after: Option<String>,
    /// Stop before sort keys greater than this (ascending) or smaller (descending).
    pub until: Option<String>,
    /// Smallest or greatest first.
    pub order: Order,
    /// At most so many items, 1 to 1000. A page may be shorter although more follow.
    pub limit: usize,
}

impl Query {
    /// All items of `partition` whose sort key begins with `prefix`, smallest first.
    pub fn new(partition: impl Into<String>, prefix: impl Into<String>, limit: usize) -> Self {
        Self {
            partition: partition.into(),
            prefix: prefix.into(),
            after: None,
            until: None,
            order: Order::Ascending,
            limit,
        }
    }

    /// Whether partition and limit are allowed.
    ///
    /// # Errors
    /// [`Invalid`](Error::Invalid) with what to change.
    pub fn check(&self) -> Result<()> {
        check_part("partition", &self.partition)?;
        if (1..=MAX_PAGE).contains(&self.limit) {
            return Ok(());
        }
        Err(Error::Invalid(format!("the limit of a query is 1 to {MAX_PAGE}, not {}", self.limit)))
    }
}

/// Whether so many keys may be read in one batch.
///
/// # Errors
/// [`Invalid`](Error::Invalid) with the limit.
pub fn check_batch(keys: &[Key]) -> Result<()> {
    if keys.len() <= MAX_BATCH {
        return Ok(());
    }
    Err(Error::Invalid(format!("{} keys in one batch, {MAX_BATCH} are allowed", keys.len())))
}

fn check_part(what: &str, part: &str) -> Result<()> {
    match part.len() {
        0 => Err(Error::Invalid(format!("the {what} of the key is empty"))),
        1..=MAX_PART => Ok(()),
        length => Err(Error::Invalid(format!(
            "the {what} of the key has {length} bytes, {MAX_PART} are allowed"
        ))),
    }
}

/// One page of a query.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The items with their sort keys, in order.
    pub items: Vec<(String, Item)>,
    /// Where the next page starts ([`Query::after`]); `None` when there is nothing more.
    pub next: Option<String>,
}

/// The table: DynamoDB's honest semantics and no more.
///
/// An implementation MUST:
/// * **R1** read its writes: a `get` that starts after a `write` returned sees it;
/// * **R2** check a condition and write in one step: of any number of concurrent writes on the
///   same version, exactly one wins;
/// * **R3** return the old item with a failed condition, and then change nothing;
/// * **R4** order `query` by the bytes of the sort key, never skip or repeat an item that stays
///   in place while pages are walked, and honour prefix, `after`, `until` and `limit`;
/// * **R5** apply a transaction wholly or not at all, each condition judged on the state before
///   it; two writes to one item in it are [`Invalid`](crate::Error::Invalid);
/// * **R6** have everything up to a token on disk when `durable` returns, and for
///   [`Token::LATEST`] everything that was visible before it was called, so that it survives a
///   crash of the process, and a loss of power where the implementation promises that;
/// * **R7** refuse an item over [`MAX_ITEM`], an empty key and a transaction over
///   [`MAX_TRANSACTION`] as `Invalid`; what an update makes of an item, which only the store sees, at
///   the latest when it is over DynamoDB's 400 KB;
/// * **R8** add 1 to `version` in every update, and leave unnamed attributes alone;
/// * **R9** remove an item some time after its `expires_at`, as a change like any other; until
///   then it may still be returned, so readers look at `expires_at` themselves.
///
/// It MAY lose a write that returned and was not yet `durable`, but never one without losing
/// all that came later too: what survives a crash is a prefix of the order.
#[async_trait]
pub trait Records: Send + Sync {
    /// One item, or `None`.
    async fn get(&self, key: &Key) -> Result<Option<Item>>;

    /// Several items in one round trip, at most 100, in the order asked for.
    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>>;

    /// Writes one item; returns when it is ordered and visible to everybody.
    ///
    /// # Errors
    /// [`ConditionFailed`](crate::Error::ConditionFailed) with the item as it is.
    async fn write(&self, write: Write) -> Result<Token>;

    /// Writes all or nothing. Rare: nothing on the hot path needs it.
    ///
    /// # Errors
    /// [`ConditionFailed`](crate::Error::ConditionFailed) with the first item whose condition failed.
    async fn transact(&self, writes: Vec<Write>) -> Result<Token>;

    /// A page of one partition.
    async fn query(&self, query: Query) -> Result<Page>;

    /// Returns when everything up to `token` is on disk. At once on a store whose writes already are.
    async fn durable(&self, token: Token) -> Result<()>;
}
