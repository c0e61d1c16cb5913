//! Faults of queues.

use std::time::Duration;

use async_trait::async_trait;
use ports::{Error, MAX_RECEIVES, Message, Queues, Result};
use serde_json::Value;

use super::Faulty;

#[async_trait]
impl Queues for Faulty {
    async fn send(&self, queue: &str, body: &Value, delay: Duration) -> Result<()> {
        if self.breaks("Q1") {
            self.memory.lock().unwrap().unsent.push((queue.to_owned(), body.clone()));
            return Ok(());
        }
        let delay = if self.breaks("Q2") { Duration::ZERO } else { delay };
        match self.inner.queues.send(queue, body, delay).await {
            Err(Error::Invalid(_)) if self.breaks("Q6") => Ok(()),
            result => result,
        }
    }

    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Message>> {
        let queues = &self.inner.queues;
        let unsent = std::mem::take(&mut self.memory.lock().unwrap().unsent);
        for (queue, body) in unsent {
            queues.send(&queue, &body, Duration::ZERO).await?;
        }
        let visibility = if self.breaks("Q3") { Duration::ZERO } else { visibility };
        let messages = queues.receive(queue, max, visibility, wait).await?;
        for message in &messages {
            if self.breaks("Q4") && message.receives == MAX_RECEIVES {
                queues.delete(queue, &message.receipt).await?;
                queues.send(queue, &message.body, Duration::ZERO).await?;
            }
        }
        self.memory.lock().unwrap().batch.extend(messages.clone());
        Ok(messages)
    }

    async fn delete(&self, queue: &str, receipt: &str) -> Result<()> {
        if self.breaks("Q5") {
            let batch = std::mem::take(&mut self.memory.lock().unwrap().batch);
            for message in batch {
                self.inner.queues.delete(queue, &message.receipt).await?;
            }
        }
        if self.breaks("Q7") {
            let deleted = &mut self.memory.lock().unwrap().deleted;
            if deleted.iter().any(|before| before == receipt) {
                return Err(Error::NotFound(receipt.to_owned()));
            }
            deleted.push(receipt.to_owned());
        }
        self.inner.queues.delete(queue, receipt).await
    }

    async fn release(&self, queue: &str, receipt: &str, delay: Duration) -> Result<()> {
        self.inner.queues.release(queue, receipt, delay).await
    }
}
