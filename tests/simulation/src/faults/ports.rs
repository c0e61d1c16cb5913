//! Ports through which functions reach the store, and on which calls fail: before they take place,
//! after that, or so that the function never goes on. What is not called by a function, such as what a
//! world is prepared with, passes.

use std::{ops::Range, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use ports::{
    Blobs, Change, Changes, Error, Functions, Item, Key, Message, Method, Page, Part, Place, Ports,
    Query, Queues, Records, Result, Sockets, Stored, Token, Uploaded, Watch, Write,
};

use super::invocation::{Invocation, Moment};
use crate::weather::Weather;

/// How long a call takes at most.
const LONGEST_CALL: Duration = Duration::from_millis(8);

/// The ports of functions in this weather.
pub(crate) fn faulty(ports: Ports, weather: Arc<Weather>) -> Ports {
    let clock = ports.clock.clone();
    let faulty = Arc::new(Faulty { ports, weather });
    Ports {
        records: faulty.clone(),
        changes: faulty.clone(),
        blobs: faulty.clone(),
        queues: faulty.clone(),
        sockets: faulty.clone(),
        functions: faulty,
        clock,
    }
}

struct Faulty {
    ports: Ports,
    weather: Arc<Weather>,
}

impl Faulty {
    /// A call of a port, and what goes wrong with it.
    async fn call<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(invocation) = Invocation::current() else { return call.await };
        let (dice, faults) = (&self.weather.dice, self.weather.faults());
        let number = invocation.call();
        self.ports.clock.sleep(dice.duration(Duration::ZERO, LONGEST_CALL)).await;
        invocation.survive(number, Moment::Before).await;
        if dice.happens(faults.refused) {
            return Err(Error::Unavailable("it did not take place".to_owned()));
        }
        let answer = call.await;
        invocation.survive(number, Moment::After).await;
        if answer.is_ok() && dice.happens(faults.unanswered) {
            return Err(Error::Unavailable("it took place, and the answer was lost".to_owned()));
        }
        answer
    }
}

#[async_trait]
impl Records for Faulty {
    async fn get(&self, key: &Key) -> Result<Option<Item>> {
        self.call(self.ports.records.get(key)).await
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        self.call(self.ports.records.batch_get(keys)).await
    }

    async fn write(&self, write: Write) -> Result<Token> {
        self.call(self.ports.records.write(write)).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<Token> {
        self.call(self.ports.records.transact(writes)).await
    }

    async fn query(&self, query: Query) -> Result<Page> {
        self.call(self.ports.records.query(query)).await
    }

    async fn durable(&self, token: Token) -> Result<()> {
        // what is written is on disk: on AWS this is no call
        self.ports.records.durable(token).await
    }
}

#[async_trait]
impl Changes for Faulty {
    async fn read(&self, consumer: &str, max: usize, wait: Duration) -> Result<Vec<Change>> {
        self.ports.changes.read(consumer, max, wait).await
    }

    async fn checkpoint(&self, consumer: &str, place: &Place) -> Result<()> {
        self.ports.changes.checkpoint(consumer, place).await
    }

    fn watch(&self, key: &Key) -> Box<dyn Watch> {
        self.ports.changes.watch(key)
    }
}

#[async_trait]
impl Blobs for Faulty {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        self.call(self.ports.blobs.put(key, bytes)).await
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>> {
        self.call(self.ports.blobs.get(key, range)).await
    }

    async fn head(&self, key: &str) -> Result<Option<Stored>> {
        self.call(self.ports.blobs.head(key)).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.call(self.ports.blobs.delete(key)).await
    }

    fn presign(&self, key: &str, method: Method, expires: Duration, base: &str) -> Result<String> {
        self.ports.blobs.presign(key, method, expires, base)
    }

    async fn start_upload(&self, key: &str) -> Result<String> {
        self.call(self.ports.blobs.start_upload(key)).await
    }

    fn presign_part(
        &self,
        key: &str,
        upload: &str,
        part: Part,
        expires: Duration,
        base: &str,
    ) -> Result<String> {
        self.ports.blobs.presign_part(key, upload, part, expires, base)
    }

    async fn put_part(&self, key: &str, upload: &str, part: Part, bytes: Bytes) -> Result<()> {
        self.call(self.ports.blobs.put_part(key, upload, part, bytes)).await
    }

    async fn uploaded_parts(&self, key: &str, upload: &str) -> Result<Vec<Uploaded>> {
        self.call(self.ports.blobs.uploaded_parts(key, upload)).await
    }

    async fn unfinished_uploads(&self, key: &str) -> Result<Vec<String>> {
        self.call(self.ports.blobs.unfinished_uploads(key)).await
    }

    async fn complete_upload(&self, key: &str, upload: &str, parts: &[Part]) -> Result<Stored> {
        self.call(self.ports.blobs.complete_upload(key, upload, parts)).await
    }

    async fn abort_upload(&self, key: &str, upload: &str) -> Result<()> {
        self.call(self.ports.blobs.abort_upload(key, upload)).await
    }
}

#[async_trait]
impl Queues for Faulty {
    async fn send(&self, queue: &str, body: &serde_json::Value, delay: Duration) -> Result<()> {
        self.call(self.ports.queues.send(queue, body, delay)).await
    }

    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Message>> {
        self.ports.queues.receive(queue, max, visibility, wait).await
    }

    async fn delete(&self, queue: &str, receipt: &str) -> Result<()> {
        self.ports.queues.delete(queue, receipt).await
    }

    async fn release(&self, queue: &str, receipt: &str, delay: Duration) -> Result<()> {
        self.ports.queues.release(queue, receipt, delay).await
    }
}

#[async_trait]
impl Sockets for Faulty {
    async fn send(&self, connection: &str, message: String) -> Result<()> {
        self.call(self.ports.sockets.send(connection, message)).await
    }

    async fn last_activity(&self, connection: &str) -> Result<u64> {
        self.call(self.ports.sockets.last_activity(connection)).await
    }

    async fn close(&self, connection: &str) -> Result<()> {
        self.call(self.ports.sockets.close(connection)).await
    }
}

#[async_trait]
impl Functions for Faulty {
    async fn call(&self, function: &str, payload: Bytes) -> Result<Bytes> {
        Faulty::call(self, self.ports.functions.call(function, payload)).await
    }
}
