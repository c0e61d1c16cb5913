//! A table that counts what it is asked, in DynamoDB's units.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ports::{Item, Key, Page, Query, Records, Result, Token, Write};

/// What was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Writes.
    pub writes: u64,
    /// One for each KB, begun, of the item that is written.
    pub write_units: u64,
    /// Reads, a query or a batch counting once.
    pub reads: u64,
    /// Waits for the disk.
    pub waits: u64,
}

/// Counts, and passes on.
pub struct Counting {
    inner: Arc<dyn Records>,
    cost: Mutex<Cost>,
}

impl Counting {
    pub fn new(inner: Arc<dyn Records>) -> Self {
        Self { inner, cost: Mutex::default() }
    }

    pub fn reset(&self) {
        *self.cost.lock().unwrap() = Cost::default();
    }

    pub fn cost(&self) -> Cost {
        *self.cost.lock().unwrap()
    }

    fn count(&self, add: impl FnOnce(&mut Cost)) {
        add(&mut self.cost.lock().unwrap());
    }

    /// An update costs what the whole item has afterwards.
    async fn count_write(&self, key: Key) {
        let item = self.inner.get(&key).await.ok().flatten();
        let bytes = item.map_or(0, |item| item.json().len());
        self.count(|cost| {
            cost.writes += 1;
            cost.write_units += bytes.div_ceil(1024).max(1) as u64;
        });
    }
}

#[async_trait]
impl Records for Counting {
    async fn get(&self, key: &Key) -> Result<Option<Item>> {
        self.count(|cost| cost.reads += 1);
        self.inner.get(key).await
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        self.count(|cost| cost.reads += 1);
        self.inner.batch_get(keys).await
    }

    async fn write(&self, write: Write) -> Result<Token> {
        let key = write.key().clone();
        let written = self.inner.write(write).await;
        self.count_write(key).await;
        written
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<Token> {
        let keys: Vec<_> = writes.iter().map(|write| write.key().clone()).collect();
        let written = self.inner.transact(writes).await;
        for key in keys {
            self.count_write(key).await;
        }
        written
    }

    async fn query(&self, query: Query) -> Result<Page> {
        self.count(|cost| cost.reads += 1);
        self.inner.query(query).await
    }

    async fn durable(&self, token: Token) -> Result<()> {
        self.count(|cost| cost.waits += 1);
        self.inner.durable(token).await
    }
}
