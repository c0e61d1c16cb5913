//! Ports that stand before the store's own.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use ports::{Clock, Message, Queues};
use serde_json::Value;

/// A clock that a test can put forward.
pub struct Ahead(pub Arc<dyn Clock>, pub Arc<AtomicU64>);

#[async_trait]
impl Clock for Ahead {
    fn now_us(&self) -> u64 {
        self.0.now_us() + self.1.load(Ordering::Relaxed)
    }

    fn id(&self, prefix: &str) -> String {
        self.0.id(prefix)
    }

    fn random(&self, bytes: &mut [u8]) {
        self.0.random(bytes);
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration).await;
    }
}

/// Queues that remember what was sent.
pub struct Recording {
    pub queues: Arc<dyn Queues>,
    pub sent: Arc<Mutex<Vec<Sent>>>,
}

/// What was sent: to which queue, what, and to be seen when.
pub type Sent = (String, Value, Duration);

#[async_trait]
impl Queues for Recording {
    async fn send(&self, queue: &str, body: &Value, delay: Duration) -> ports::Result<()> {
        self.sent.lock().unwrap().push((queue.to_owned(), body.clone(), delay));
        self.queues.send(queue, body, delay).await
    }

    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> ports::Result<Vec<Message>> {
        self.queues.receive(queue, max, visibility, wait).await
    }

    async fn delete(&self, queue: &str, receipt: &str) -> ports::Result<()> {
        self.queues.delete(queue, receipt).await
    }

    async fn release(&self, queue: &str, receipt: &str, delay: Duration) -> ports::Result<()> {
        self.queues.release(queue, receipt, delay).await
    }
}
