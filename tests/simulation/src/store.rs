//! The seven ports in memory: one world's store, queues, connections and functions. By themselves they
//! keep what the ports promise; what goes wrong is added by [`faults`](crate::faults).

mod blobs;
mod feed;
mod functions;
mod item;
mod queues;
mod records;
mod sockets;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ports::{Clock, Ports};

pub use functions::SimFunctions;
pub use records::{Committed, Observer};
pub use sockets::{Outbox, SimSockets};

use self::{blobs::SimBlobs, queues::SimQueues, records::Table};
use crate::dice::Dice;

/// The store of one world.
#[derive(Clone)]
pub struct Store {
    table: Arc<Table>,
    blobs: Arc<SimBlobs>,
    queues: Arc<SimQueues>,
    sockets: Arc<SimSockets>,
    functions: Arc<SimFunctions>,
    clock: Arc<dyn Clock>,
}

impl Store {
    /// An empty one. What it may choose itself, such as which of several messages comes first, it
    /// chooses by `dice`.
    pub fn new(clock: Arc<dyn Clock>, dice: Arc<Dice>) -> Self {
        Self {
            table: Arc::new(Table::new(clock.clone())),
            blobs: Arc::new(SimBlobs::new(clock.clone())),
            queues: Arc::new(SimQueues::new(clock.clone(), dice)),
            sockets: Arc::new(SimSockets::new(clock.clone())),
            functions: Arc::new(SimFunctions::new(clock.clone())),
            clock,
        }
    }

    /// The ports.
    pub fn ports(&self) -> Ports {
        Ports {
            records: self.table.clone(),
            changes: self.table.clone(),
            blobs: self.blobs.clone(),
            queues: self.queues.clone(),
            sockets: self.sockets.clone(),
            functions: self.functions.clone(),
            clock: self.clock.clone(),
        }
    }

    /// The connections, for the gateway.
    pub fn sockets(&self) -> &Arc<SimSockets> {
        &self.sockets
    }

    /// The functions that others call, for whoever provides them.
    pub fn functions(&self) -> &Arc<SimFunctions> {
        &self.functions
    }

    /// From now on `observer` sees every write in the moment in which it takes place.
    pub fn observe(&self, observer: Observer) {
        self.table.observe(observer);
    }

    /// From now on a change of the feed is forgotten once all consumers that there are have read it: a
    /// large world would not fit into memory otherwise.
    pub fn forget_what_was_read(&self) {
        self.table.feed.forget_what_was_read();
    }

    /// Every item, in order.
    pub fn items(&self) -> Vec<(ports::Key, ports::Item)> {
        self.table.items()
    }

    /// The bodies of a queue's messages, those that are hidden included.
    pub fn messages(&self, queue: &str) -> Vec<serde_json::Value> {
        self.queues.bodies(queue)
    }

    /// What a client gets for a presigned URL, and what it does: an HTTP status and a body.
    pub fn transfer(
        &self,
        url: &str,
        method: ports::Method,
        body: bytes::Bytes,
    ) -> (u16, bytes::Bytes) {
        self.blobs.transfer(url, method, body)
    }
}

/// A lock that outlives panics: nothing that holds one can panic half-way through a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
