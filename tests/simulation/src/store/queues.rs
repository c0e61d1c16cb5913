//! The queues.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use ports::{Clock, MAX_RECEIVES, Message, Queues, Result, queues};
use serde_json::Value;
use tokio::sync::Notify;

use super::lock;
use crate::{clock::within, dice::Dice};

/// Of how many messages that may be received the next ones are chosen: order is not promised.
const CHOICE: usize = 20;

pub(super) struct SimQueues {
    clock: Arc<dyn Clock>,
    dice: Arc<Dice>,
    queues: Mutex<HashMap<String, Queue>>,
    sent: Notify,
}

#[derive(Default)]
struct Queue {
    /// By number.
    messages: BTreeMap<u64, Waiting>,
    /// By when they may be received, in epoch microseconds.
    visible: BTreeSet<(u64, u64)>,
}

struct Waiting {
    id: String,
    body: Value,
    receives: u32,
    visible_us: u64,
    /// Of the newest delivery.
    receipt: String,
}

impl Queue {
    /// Shows the message again at another time.
    fn show(&mut self, number: u64, visible_us: u64) {
        if let Some(message) = self.messages.get_mut(&number) {
            self.visible.remove(&(message.visible_us, number));
            message.visible_us = visible_us;
            self.visible.insert((visible_us, number));
        }
    }

    fn remove(&mut self, number: u64) -> Option<Waiting> {
        let message = self.messages.remove(&number)?;
        self.visible.remove(&(message.visible_us, number));
        Some(message)
    }

    /// The message of which this is the newest delivery.
    fn delivered(&self, receipt: &str) -> Option<u64> {
        let (number, _) = receipt.split_once('#')?;
        let number = number.parse().ok()?;
        self.messages.get(&number).filter(|message| message.receipt == receipt).map(|_| number)
    }
}

impl SimQueues {
    pub(super) fn new(clock: Arc<dyn Clock>, dice: Arc<Dice>) -> Self {
        Self { clock, dice, queues: Mutex::default(), sent: Notify::new() }
    }

    pub(super) fn bodies(&self, queue: &str) -> Vec<Value> {
        let queues = lock(&self.queues);
        let messages = queues.get(queue).into_iter().flat_map(|queue| queue.messages.values());
        messages.map(|message| message.body.clone()).collect()
    }

    fn put(&self, queue: &str, id: String, body: Value, visible_us: u64) {
        let mut queues = lock(&self.queues);
        let queue = queues.entry(queue.to_owned()).or_default();
        let number = queue.messages.last_key_value().map_or(0, |(number, _)| number + 1);
        let receipt = String::new();
        queue.messages.insert(number, Waiting { id, body, receives: 0, visible_us, receipt });
        queue.visible.insert((visible_us, number));
        drop(queues);
        self.sent.notify_waiters();
    }

    /// Takes what may be received now; also when the next message may be, if none may now.
    fn take(&self, name: &str, max: usize, visibility: Duration) -> (Vec<Message>, Option<u64>) {
        let now = self.clock.now_us();
        let (mut taken, mut dead) = (Vec::new(), Vec::new());
        let mut queues = lock(&self.queues);
        let queue = queues.entry(name.to_owned()).or_default();
        while taken.len() < max {
            let due = queue.visible.iter().take_while(|(at, _)| *at <= now).take(CHOICE);
            let due: Vec<u64> = due.map(|(_, number)| *number).collect();
            let Some(number) = self.dice.one(&due).copied() else { break };
            let salt = self.dice.next();
            let Some(message) = queue.messages.get_mut(&number) else { break };
            if message.receives >= MAX_RECEIVES && !name.ends_with("-dead") {
                dead.extend(queue.remove(number));
                continue;
            }
            message.receives += 1;
            message.receipt = format!("{number}#{salt:016x}");
            taken.push(Message {
                id: message.id.clone(),
                receipt: message.receipt.clone(),
                receives: message.receives,
                body: message.body.clone(),
            });
            queue.show(number, now + visibility.as_micros() as u64);
        }
        let next = queue.visible.first().map(|(at, _)| *at);
        drop(queues);
        for message in dead {
            self.put(&format!("{name}-dead"), message.id, message.body, now);
        }
        (taken, next)
    }
}

#[async_trait]
impl Queues for SimQueues {
    async fn send(&self, queue: &str, body: &Value, delay: Duration) -> Result<()> {
        queues::encode(body, delay)?;
        let visible_us = self.clock.now_us() + delay.as_micros() as u64;
        self.put(queue, self.clock.id("msg"), body.clone(), visible_us);
        Ok(())
    }

    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Message>> {
        queues::check_batch(max)?;
        let until_us = self.clock.now_us() + wait.as_micros() as u64;
        loop {
            let sent = self.sent.notified();
            let (taken, next) = self.take(queue, max, visibility);
            let now = self.clock.now_us();
            if !taken.is_empty() || now >= until_us {
                return Ok(taken);
            }
            let patience_us = next.map_or(until_us, |at| at.min(until_us)).saturating_sub(now);
            let _ = within(&*self.clock, Duration::from_micros(patience_us), sent).await;
        }
    }

    async fn delete(&self, queue: &str, receipt: &str) -> Result<()> {
        if let Some(queue) = lock(&self.queues).get_mut(queue)
            && let Some(number) = queue.delivered(receipt)
        {
            queue.remove(number);
        }
        Ok(())
    }

    async fn release(&self, queue: &str, receipt: &str, delay: Duration) -> Result<()> {
        let visible_us = self.clock.now_us() + delay.as_micros() as u64;
        if let Some(queue) = lock(&self.queues).get_mut(queue)
            && let Some(number) = queue.delivered(receipt)
        {
            queue.show(number, visible_us);
        }
        self.sent.notify_waiters();
        Ok(())
    }
}
