//! The message queues. Messages are on disk; when each becomes visible is kept in memory, in order,
//! so that a receiver waits for exactly the next one, and is rebuilt at the start.

mod index;
mod stored;

use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use ports::{Clock, Error, MAX_RECEIVES, Message, Queues, Result, queues};
use serde_json::Value;
use tokio::{sync::Notify, time::Instant};

use self::{index::Index, stored::Stored};
use crate::{engine::Engine, lock::Mutex};

/// What the dead letters of a queue are called after its name.
const DEAD: &str = "-dead";

#[derive(Default)]
struct Queue {
    index: Mutex<Index>,
    /// Told whenever a message may be visible earlier than was known.
    changed: Notify,
}

/// The queues of the store.
pub(crate) struct LocalQueues {
    engine: Arc<Engine>,
    queues: Mutex<HashMap<String, Arc<Queue>>>,
}

impl LocalQueues {
    /// The queues with the messages that are on disk.
    pub(crate) fn open(engine: Arc<Engine>) -> Result<Self, fjall::Error> {
        let mut queues = HashMap::<String, Arc<Queue>>::new();
        for pair in engine.messages.iter() {
            let (key, value) = pair.into_inner()?;
            let place = stored::decode_key(&key).zip(Stored::decode(&value));
            let Some(((queue, id), stored)) = place else {
                tracing::error!("a message on disk is damaged and left out");
                continue;
            };
            let queue = queues.entry(queue.to_owned()).or_default();
            queue.index.lock().insert(id, stored.visible_ms, stored.receives);
        }
        Ok(Self { engine, queues: Mutex::new(queues) })
    }

    fn queue(&self, name: &str) -> Result<Arc<Queue>> {
        if name.is_empty() || name.len() > 80 {
            return Err(Error::Invalid("the name of a queue has 1 to 80 bytes".to_owned()));
        }
        let mut queues = self.queues.lock();
        if let Some(queue) = queues.get(name) {
            return Ok(queue.clone());
        }
        Ok(queues.entry(name.to_owned()).or_default().clone())
    }

    /// Takes what is visible now; the second part is when the next message will be.
    fn take(
        &self,
        name: &str,
        queue: &Queue,
        max: usize,
        visibility: Duration,
    ) -> Result<(Vec<Message>, Option<u64>)> {
        let now = self.engine.clock.now_ms();
        let until = now.saturating_add(visibility.as_millis() as u64);
        let mut index = queue.index.lock();
        let mut batch = self.engine.database.batch();
        let (mut messages, mut hidden) = (Vec::new(), Vec::new());
        let (mut dead, mut damaged) = (Vec::new(), Vec::new());
        for (id, receives) in index.visible(now) {
            if messages.len() == max {
                break;
            }
            let key = stored::key(name, &id);
            let bytes = self.engine.messages.get(&key).map_err(Error::unavailable)?;
            let stored = bytes.as_deref().and_then(Stored::decode);
            let body = stored.as_ref().map(|stored| serde_json::from_slice(stored.body));
            let (Some(stored), Some(Ok(body))) = (stored, body) else {
                // It must not stop those behind it.
                tracing::error!(message.id = %id, "a message on disk is damaged and left out");
                damaged.push(id);
                continue;
            };
            if receives >= MAX_RECEIVES && !name.ends_with(DEAD) {
                let letter = Stored { visible_ms: now, receives: 0, body: stored.body };
                batch.remove(&self.engine.messages, key);
                let dead_key = stored::key(&format!("{name}{DEAD}"), &id);
                batch.insert(&self.engine.messages, dead_key, letter.encode());
                dead.push(id);
                continue;
            }
            let next = Stored { visible_ms: until, receives: receives + 1, body: stored.body };
            batch.insert(&self.engine.messages, key, next.encode());
            messages.push(Message {
                id: id.to_string(),
                receipt: format!("{id}.{}", receives + 1),
                receives: receives + 1,
                body,
            });
            hidden.push(id);
        }
        if !batch.is_empty() {
            self.engine.section()?.commit_plain(batch)?;
        }
        for (id, message) in hidden.into_iter().zip(&messages) {
            index.insert(&id, until, message.receives);
        }
        for id in dead.iter().chain(&damaged) {
            index.remove(id);
        }
        let next = index.next();
        drop(index);
        if !dead.is_empty() {
            let letters = self.queue(&format!("{name}{DEAD}"))?;
            let mut index = letters.index.lock();
            dead.iter().for_each(|id| index.insert(id, now, 0));
            letters.changed.notify_waiters();
        }
        Ok((messages, next))
    }
}

#[async_trait]
impl Queues for LocalQueues {
    async fn send(&self, queue: &str, body: &Value, delay: Duration) -> Result<()> {
        let body = queues::encode(body, delay)?;
        let entry = self.queue(queue)?;
        let id = self.engine.clock.id("msg");
        let visible_ms = self.engine.clock.now_ms() + delay.as_millis() as u64;
        let stored = Stored { visible_ms, receives: 0, body: &body }.encode();
        let mut batch = self.engine.database.batch();
        batch.insert(&self.engine.messages, stored::key(queue, &id), stored);
        let number = self.engine.section()?.commit_plain(batch)?;
        // Before anything is awaited: a sender that goes away must not leave a message behind that
        // is on disk and in no index.
        entry.index.lock().insert(&id, visible_ms, 0);
        entry.changed.notify_waiters();
        self.engine.syncer.durable(number).await
    }

    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Message>> {
        queues::check_batch(max)?;
        let deadline = Instant::now() + wait;
        let entry = self.queue(queue)?;
        loop {
            let changed = entry.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let (messages, next) = self.take(queue, &entry, max, visibility)?;
            if !messages.is_empty() || Instant::now() >= deadline {
                return Ok(messages);
            }
            let until_next = next.map(|next| next.saturating_sub(self.engine.clock.now_ms()));
            let wake = match until_next {
                Some(ms) => deadline.min(Instant::now() + Duration::from_millis(ms)),
                None => deadline,
            };
            // Either way it is looked again; that this was the timer is no error.
            let _ = tokio::time::timeout_at(wake, changed).await;
        }
    }

    async fn delete(&self, queue: &str, receipt: &str) -> Result<()> {
        let entry = self.queue(queue)?;
        let Some((mut index, id)) = delivered(&entry, receipt) else { return Ok(()) };
        let mut batch = self.engine.database.batch();
        batch.remove(&self.engine.messages, stored::key(queue, id));
        self.engine.section()?.commit_plain(batch)?;
        index.remove(id);
        Ok(())
    }

    async fn release(&self, queue: &str, receipt: &str, delay: Duration) -> Result<()> {
        let entry = self.queue(queue)?;
        let Some((mut index, id)) = delivered(&entry, receipt) else { return Ok(()) };
        let key = stored::key(queue, id);
        let bytes = self.engine.messages.get(&key).map_err(Error::unavailable)?;
        let Some(stored) = bytes.as_deref().and_then(Stored::decode) else { return Ok(()) };
        let visible_ms = self.engine.clock.now_ms().saturating_add(delay.as_millis() as u64);
        let next = Stored { visible_ms, ..stored };
        let mut batch = self.engine.database.batch();
        batch.insert(&self.engine.messages, key, next.encode());
        self.engine.section()?.commit_plain(batch)?;
        index.insert(id, visible_ms, next.receives);
        entry.changed.notify_waiters();
        Ok(())
    }
}

/// The id in a receipt, if the delivery that it names is the message's latest (as SQS has it: only
/// the latest receipt counts).
fn delivered<'a>(queue: &'a Queue, receipt: &'a str) -> Option<(MutexGuard<'a, Index>, &'a str)> {
    let (id, receives) = receipt.rsplit_once('.')?;
    let index = queue.index.lock();
    let latest = index.receives(id)?;
    (receives.parse() == Ok(latest)).then_some((index, id))
}
