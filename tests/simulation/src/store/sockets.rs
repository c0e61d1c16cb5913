//! The platform's ends of the devices' connections.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use ports::{Clock, Error, Result, Sockets, sockets};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::lock;

/// How many messages wait for a device before its connection is given up.
const WAITING: usize = 4096;

/// All open connections.
pub struct SimSockets {
    clock: Arc<dyn Clock>,
    open: Mutex<HashMap<String, Open>>,
}

struct Open {
    messages: Sender<String>,
    active_ms: u64,
}

/// What the platform says on one connection; it ends when the connection is closed.
pub type Outbox = Receiver<String>;

impl SimSockets {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, open: Mutex::default() }
    }

    /// Opens a connection.
    pub fn open(&self, id: &str) -> Outbox {
        let (messages, outbox) = channel(WAITING);
        let active_ms = self.clock.now_ms();
        lock(&self.open).insert(id.to_owned(), Open { messages, active_ms });
        outbox
    }

    /// The device said something. Whether the connection is open.
    pub fn touch(&self, id: &str) -> bool {
        let now = self.clock.now_ms();
        lock(&self.open).get_mut(id).map(|open| open.active_ms = now).is_some()
    }

    /// The device is gone.
    pub fn shut(&self, id: &str) {
        lock(&self.open).remove(id);
    }

    /// Ends every connection, as a process does that ends.
    pub fn shut_all(&self) {
        lock(&self.open).clear();
    }
}

#[async_trait]
impl Sockets for SimSockets {
    async fn send(&self, connection: &str, message: String) -> Result<()> {
        sockets::check_frame(&message)?;
        let now = self.clock.now_ms();
        let mut all = lock(&self.open);
        let open = all.get_mut(connection).ok_or(Error::Gone)?;
        if open.messages.try_send(message).is_err() {
            all.remove(connection);
            return Err(Error::Gone);
        }
        open.active_ms = now;
        Ok(())
    }

    async fn last_activity(&self, connection: &str) -> Result<u64> {
        lock(&self.open).get(connection).map(|open| open.active_ms).ok_or(Error::Gone)
    }

    async fn close(&self, connection: &str) -> Result<()> {
        self.shut(connection);
        Ok(())
    }
}
