//! Ports that refuse what a function did not declare, as its IAM role would on AWS.

use std::{ops::Range, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    Blobs, Change, Changes, Error, Functions, Item, Key, Message, Method, Page, Part, Place, Ports,
    Query, Queues, Records, Result, Sockets, Stored, Token, Uploaded, Watch, Write,
};

/// What a function may do; its role on AWS is derived from this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// `get`, `batch_get`, `watch`.
    GetRecords,
    /// `query`.
    QueryRecords,
    /// `write` and `transact` with puts and updates.
    WriteRecords,
    /// `write` and `transact` with deletes.
    DeleteRecords,
    /// `read` and `checkpoint` of the change feed.
    ReadChanges,
    /// `get`, `head` and presigned reads.
    ReadBlobs,
    /// `put`, uploads in parts and presigned writes.
    WriteBlobs,
    /// `delete`.
    DeleteBlobs,
    /// `send` to this queue.
    SendTo(&'static str),
    /// `receive`, `delete` and `release` of this queue.
    ReceiveFrom(&'static str),
    /// `receive`, `delete` and `release` of this queue's dead letters, and `send` to it.
    Redrive(&'static str),
    /// `send`, `last_activity` and `close` of sockets.
    PostToSockets,
    /// `call` of this function.
    Call(&'static str),
}

impl Ports {
    /// The same ports for one function, limited to what it declares.
    #[must_use]
    pub fn restricted(&self, function: &'static str, uses: &[Action]) -> Ports {
        let gate = Arc::new(Gate { function, uses: uses.into(), ports: self.clone() });
        Ports {
            records: gate.clone(),
            changes: gate.clone(),
            blobs: gate.clone(),
            queues: gate.clone(),
            sockets: gate.clone(),
            functions: gate,
            clock: self.clock.clone(),
        }
    }
}

struct Gate {
    function: &'static str,
    uses: Box<[Action]>,
    ports: Ports,
}

impl Gate {
    /// What a function asks of the table, for whoever counts what it costs.
    fn trace(&self, operation: &'static str) {
        tracing::trace!(function = self.function, operation, "table");
    }

    fn allow(&self, action: Action) -> Result<()> {
        self.allow_if(self.uses.contains(&action), || format!("{action:?}"))
    }

    fn allow_if(&self, allowed: bool, action: impl FnOnce() -> String) -> Result<()> {
        if allowed {
            return Ok(());
        }
        Err(Error::Forbidden { function: self.function, action: action() })
    }

    fn allow_queue(&self, queue: &str, receive: bool) -> Result<()> {
        let allowed = self.uses.iter().any(|action| match action {
            Action::SendTo(name) => !receive && *name == queue,
            Action::ReceiveFrom(name) => receive && *name == queue,
            Action::Redrive(name) => match queue.strip_suffix("-dead") {
                Some(queue) => receive && *name == queue,
                None => !receive && *name == queue,
            },
            _ => false,
        });
        let verb = if receive { "ReceiveFrom" } else { "SendTo" };
        self.allow_if(allowed, || format!("{verb}({queue:?})"))
    }

    fn allow_write(&self, write: &Write) -> Result<()> {
        self.allow(match write {
            Write::Put { .. } | Write::Update { .. } => Action::WriteRecords,
            Write::Delete { .. } => Action::DeleteRecords,
        })
    }
}

#[async_trait]
impl Records for Gate {
    async fn get(&self, key: &Key) -> Result<Option<Item>> {
        self.allow(Action::GetRecords)?;
        self.trace("get");
        self.ports.records.get(key).await
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>> {
        self.allow(Action::GetRecords)?;
        self.trace("batch_get");
        self.ports.records.batch_get(keys).await
    }

    async fn write(&self, write: Write) -> Result<Token> {
        self.allow_write(&write)?;
        self.trace("write");
        self.ports.records.write(write).await
    }

    async fn transact(&self, writes: Vec<Write>) -> Result<Token> {
        writes.iter().try_for_each(|write| self.allow_write(write))?;
        self.trace("transact");
        self.ports.records.transact(writes).await
    }

    async fn query(&self, query: Query) -> Result<Page> {
        self.allow(Action::QueryRecords)?;
        self.trace("query");
        self.ports.records.query(query).await
    }

    async fn durable(&self, token: Token) -> Result<()> {
        self.trace("durable");
        self.ports.records.durable(token).await
    }
}

#[async_trait]
impl Changes for Gate {
    async fn read(&self, consumer: &str, max: usize, wait: Duration) -> Result<Vec<Change>> {
        self.allow(Action::ReadChanges)?;
        self.ports.changes.read(consumer, max, wait).await
    }

    async fn checkpoint(&self, consumer: &str, place: &Place) -> Result<()> {
        self.allow(Action::ReadChanges)?;
        self.ports.changes.checkpoint(consumer, place).await
    }

    fn watch(&self, key: &Key) -> Box<dyn Watch> {
        match self.allow(Action::GetRecords) {
            Ok(()) => self.ports.changes.watch(key),
            Err(refusal) => Box::new(Refused(Some(refusal))),
        }
    }
}

/// A watch that was not allowed; says so when it is used.
struct Refused(Option<Error>);

#[async_trait]
impl Watch for Refused {
    async fn changed(
        &mut self,
        _patience: Duration,
        _usual: Duration,
    ) -> Result<Option<(Token, Item)>> {
        Err(self.0.take().unwrap_or(Error::Gone))
    }
}

#[async_trait]
impl Blobs for Gate {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        self.allow(Action::WriteBlobs)?;
        self.ports.blobs.put(key, bytes).await
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>> {
        self.allow(Action::ReadBlobs)?;
        self.ports.blobs.get(key, range).await
    }

    async fn head(&self, key: &str) -> Result<Option<Stored>> {
        self.allow(Action::ReadBlobs)?;
        self.ports.blobs.head(key).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.allow(Action::DeleteBlobs)?;
        self.ports.blobs.delete(key).await
    }

    fn presign(&self, key: &str, method: Method, expires: Duration, base: &str) -> Result<String> {
        self.allow(match method {
            Method::Get => Action::ReadBlobs,
            Method::Put(_) => Action::WriteBlobs,
        })?;
        self.ports.blobs.presign(key, method, expires, base)
    }

    async fn start_upload(&self, key: &str) -> Result<String> {
        self.allow(Action::WriteBlobs)?;
        self.ports.blobs.start_upload(key).await
    }

    fn presign_part(
        &self,
        key: &str,
        upload: &str,
        part: Part,
        expires: Duration,
        base: &str,
    ) -> Result<String> {
        self.allow(Action::WriteBlobs)?;
        self.ports.blobs.presign_part(key, upload, part, expires, base)
    }

    async fn put_part(&self, key: &str, upload: &str, part: Part, bytes: Bytes) -> Result<()> {
        self.allow(Action::WriteBlobs)?;
        self.ports.blobs.put_part(key, upload, part, bytes).await
    }

    async fn uploaded_parts(&self, key: &str, upload: &str) -> Result<Vec<Uploaded>> {
        self.allow(Action::WriteBlobs)?;
        self.ports.blobs.uploaded_parts(key, upload).await
    }

    async fn unfinished_uploads(&self, key: &str) -> Result<Vec<String>> {
        self.allow(Action::WriteBlobs)?;
        self.ports.blobs.unfinished_uploads(key).await
    }

    async fn complete_upload(&self, key: &str, upload: &str, parts: &[Part]) -> Result<Stored> {
        self.allow(Action::WriteBlobs)?;
        self.ports.blobs.complete_upload(key, upload, parts).await
    }

    async fn abort_upload(&self, key: &str, upload: &str) -> Result<()> {
        self.allow(Action::WriteBlobs)?;
        self.ports.blobs.abort_upload(key, upload).await
    }
}

#[async_trait]
impl Queues for Gate {
    async fn send(&self, queue: &str, body: &serde_json::Value, delay: Duration) -> Result<()> {
        self.allow_queue(queue, false)?;
        self.ports.queues.send(queue, body, delay).await
    }

    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Message>> {
        self.allow_queue(queue, true)?;
        self.ports.queues.receive(queue, max, visibility, wait).await
    }

    async fn delete(&self, queue: &str, receipt: &str) -> Result<()> {
        self.allow_queue(queue, true)?;
        self.ports.queues.delete(queue, receipt).await
    }

    async fn release(&self, queue: &str, receipt: &str, delay: Duration) -> Result<()> {
        self.allow_queue(queue, true)?;
        self.ports.queues.release(queue, receipt, delay).await
    }
}

#[async_trait]
impl Sockets for Gate {
    async fn send(&self, connection: &str, message: String) -> Result<()> {
        self.allow(Action::PostToSockets)?;
        self.ports.sockets.send(connection, message).await
    }

    async fn last_activity(&self, connection: &str) -> Result<u64> {
        self.allow(Action::PostToSockets)?;
        self.ports.sockets.last_activity(connection).await
    }

    async fn close(&self, connection: &str) -> Result<()> {
        self.allow(Action::PostToSockets)?;
        self.ports.sockets.close(connection).await
    }
}

#[async_trait]
impl Functions for Gate {
    async fn call(&self, function: &str, payload: Bytes) -> Result<Bytes> {
        let allowed = self
            .uses
            .iter()
            .any(|action| matches!(action, Action::Call(name) if *name == function));
        self.allow_if(allowed, || format!("Call({function:?})"))?;
        self.ports.functions.call(function, payload).await
    }
}
