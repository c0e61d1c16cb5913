//! The open connections of the web server in this process. The server owns the WebSockets; here is
//! one bounded queue for each, between whoever sends and the task that writes to the network.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use clock::SystemClock;
use ports::{Clock, Error, Result, Sockets, sockets};
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::lock::RwLock;

/// How many messages may wait for one connection; a device that is further behind is cut off
/// instead of filling the memory, and comes back with `resume`.
const BACKLOG: usize = 256;

struct Entry {
    outbox: mpsc::Sender<String>,
    active_ms: AtomicU64,
    /// Tells a connection from an earlier one with the same id.
    opening: u64,
}

/// The connections by their ids.
pub struct LocalSockets {
    clock: Arc<SystemClock>,
    entries: RwLock<HashMap<String, Entry>>,
    openings: AtomicU64,
}

/// The server's end of one connection: what is sent to it, in order. Dropping it closes it.
pub struct Connection {
    id: String,
    opening: u64,
    inbox: mpsc::Receiver<String>,
    sockets: Arc<LocalSockets>,
}

impl LocalSockets {
    pub(crate) fn new(clock: Arc<SystemClock>) -> Self {
        Self { clock, entries: RwLock::default(), openings: AtomicU64::new(0) }
    }

    /// Opens the connection `id`, which must be new.
    pub fn open(self: &Arc<Self>, id: &str) -> Connection {
        let (outbox, inbox) = mpsc::channel(BACKLOG);
        let opening = self.openings.fetch_add(1, Ordering::Relaxed);
        let entry = Entry { outbox, active_ms: AtomicU64::new(self.clock.now_ms()), opening };
        self.entries.write().insert(id.to_owned(), entry);
        Connection { id: id.to_owned(), opening, inbox, sockets: self.clone() }
    }

    /// The connection received something.
    pub fn touch(&self, id: &str) {
        if let Some(entry) = self.entries.read().get(id) {
            entry.active_ms.store(self.clock.now_ms(), Ordering::Relaxed);
        }
    }
}

impl Connection {
    /// The next message to write to the network; `None` once the platform closed the connection.
    pub async fn recv(&mut self) -> Option<String> {
        self.inbox.recv().await
    }

    /// The next message if there is one already, to write several at once.
    pub fn try_recv(&mut self) -> Option<String> {
        self.inbox.try_recv().ok()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut entries = self.sockets.entries.write();
        if entries.get(&self.id).is_some_and(|entry| entry.opening == self.opening) {
            entries.remove(&self.id);
        }
    }
}

#[async_trait]
impl Sockets for LocalSockets {
    async fn send(&self, connection: &str, message: String) -> Result<()> {
        sockets::check_frame(&message)?;
        {
            let entries = self.entries.read();
            let entry = entries.get(connection).ok_or(Error::Gone)?;
            match entry.outbox.try_send(message) {
                Ok(()) => {
                    entry.active_ms.store(self.clock.now_ms(), Ordering::Relaxed);
                    return Ok(());
                }
                Err(TrySendError::Closed(_)) => {}
                Err(TrySendError::Full(_)) => {
                    tracing::warn!(
                        connection.id = connection,
                        connection.backlog = BACKLOG,
                        "closed a connection that does not take its messages"
                    );
                }
            }
        }
        self.entries.write().remove(connection);
        Err(Error::Gone)
    }

    async fn last_activity(&self, connection: &str) -> Result<u64> {
        let entries = self.entries.read();
        let entry = entries.get(connection).ok_or(Error::Gone)?;
        Ok(entry.active_ms.load(Ordering::Relaxed))
    }

    async fn close(&self, connection: &str) -> Result<()> {
        self.entries.write().remove(connection);
        Ok(())
    }
}
