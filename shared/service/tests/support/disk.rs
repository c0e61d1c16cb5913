//! A table whose disk is as slow as a test wants it.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use ports::{Error, Item, Key, Page, Query, Records, Result, Token, Write};
use tokio::sync::watch;

/// Passes on; holds up who waits for the disk while it is told to.
pub struct Disk {
    inner: Arc<dyn Records>,
    slow: watch::Sender<bool>,
    waited: Mutex<Vec<Token>>,
    writes: Mutex<Vec<Key>>,
    then: Mutex<Option<Then>>,
    uncertain: AtomicBool,
}

/// The beginning of a sort key, and what happens once such an item was read.
type Then = (String, Pin<Box<dyn Future<Output = ()> + Send>>);

impl Disk {
    pub fn new(inner: Arc<dyn Records>) -> Self {
        let (waited, writes, then) = Default::default();
        Self {
            inner,
            slow: watch::Sender::new(false),
            waited,
            writes,
            then,
            uncertain: AtomicBool::default(),
        }
    }

    /// Of the next transaction, nobody is told that it took effect.
    pub fn is_uncertain(&self) {
        self.uncertain.store(true, Ordering::Relaxed);
    }

    /// Does this, once, between the next reading of an item whose sort key begins so, and what its
    /// reader does with it.
    pub fn after_reading(&self, sort: &str, deed: impl Future<Output = ()> + Send + 'static) {
        *self.then.lock().unwrap() = Some((sort.to_owned(), Box::pin(deed)));
    }

    /// From now on, and until told otherwise, nothing gets to the disk.
    pub fn is_slow(&self, slow: bool) {
        self.slow.send_replace(slow);
    }

    /// What was waited for since the last call.
    pub fn waited(&self) -> Vec<Token> {
        std::mem::take(&mut *self.waited.lock().unwrap())
    }

    /// How often this was waited for since it was last asked what was.
    pub fn waited_for(&self, token: Token) -> usize {
        self.waited.lock().unwrap().iter().filter(|waited| **waited == token).count()
    }

    /// How often partitions that begin so were written since the last call.
    pub fn writes(&self, partition: &str) -> usize {
        let writes = std::mem::take(&mut *self.writes.lock().unwrap());
        writes.iter().filter(|key| key.partition.starts_with(partition)).count()
    }
}

#[async_trait]
impl Records for Disk {
    async fn get(&self, key: &Key) -> Result<Option<Item>> {
        let item = self.inner.get(key).await;
        let then = self.then.lock().unwrap().take_if(|(sort, _)| key.sort.starts_with(&*sort));
        if let Some((_, deed)) = then {
            deed.await;
        }
        item
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        self.inner.batch_get(keys).await
    }

    async fn write(&self, write: Write) -> Result<Token> {
        self.writes.lock().unwrap().push(write.key().clone());
        self.inner.write(write).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<Token> {
        let written = self.inner.transact(writes).await;
        if self.uncertain.swap(false, Ordering::Relaxed) {
            return Err(Error::Unavailable("the answer was lost".to_owned()));
        }
        written
    }

    async fn query(&self, query: Query) -> Result<Page> {
        self.inner.query(query).await
    }

    async fn durable(&self, token: Token) -> Result<()> {
        self.waited.lock().unwrap().push(token);
        let mut slow = self.slow.subscribe();
        slow.wait_for(|slow| !slow).await.unwrap();
        self.inner.durable(token).await
    }
}
