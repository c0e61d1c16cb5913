//! Message queues with delays, redelivery and dead letters.

use std::time::Duration;

use async_trait::async_trait;

use crate::{Error, Result};

/// The longest delay of a message; longer timers send themselves again.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-delay-queues.html>
pub const MAX_DELAY: Duration = Duration::from_secs(15 * 60);

/// The largest message body in bytes of JSON.
pub const MAX_MESSAGE: usize = 256 * 1024;

/// A message is moved to the dead letters instead of being received once more than this.
pub const MAX_RECEIVES: u32 = 5;

/// A received message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The same at every delivery.
    pub id: String,
    /// Names this delivery; what `delete` and `release` take.
    pub receipt: String,
    /// How often it was delivered, this time included.
    pub receives: u32,
    /// What was sent.
    pub body: serde_json::Value,
}

/// The most messages of one `receive`.
const MAX_BATCH: usize = 10;

/// The body of a message in bytes of JSON, if it may be sent so.
///
/// # Errors
/// [`Invalid`](Error::Invalid) for a delay or a body over the limit.
pub fn encode(body: &serde_json::Value, delay: Duration) -> Result<Vec<u8>> {
    if delay > MAX_DELAY {
        return Err(Error::Invalid(format!(
            "a delay of {} s, {} s are allowed: send again when the message arrives",
            delay.as_secs(),
            MAX_DELAY.as_secs()
        )));
    }
    let body = serde_json::to_vec(body).map_err(|error| Error::Invalid(error.to_string()))?;
    if body.len() > MAX_MESSAGE {
        return Err(Error::Invalid(format!(
            "the message has {} bytes, {MAX_MESSAGE} are allowed: put large data in a blob",
            body.len()
        )));
    }
    Ok(body)
}

/// Whether so many messages may be received at once.
///
/// # Errors
/// [`Invalid`](Error::Invalid) with the limit.
pub fn check_batch(max: usize) -> Result<()> {
    if (1..=MAX_BATCH).contains(&max) {
        return Ok(());
    }
    Err(Error::Invalid(format!("receive 1 to {MAX_BATCH} messages, not {max}")))
}

/// The queues: SQS standard queues.
///
/// A queue exists as soon as it is named; its dead letters are the queue `{name}-dead`.
///
/// An implementation MUST:
/// * **Q1** have a message on disk when `send` returns;
/// * **Q2** deliver it at least once, not before its delay is over;
/// * **Q3** hide a received message for `visibility` from other receivers, and deliver it again
///   after that, or at once after `release`, unless it was deleted;
/// * **Q4** move a message that was received [`MAX_RECEIVES`] times and not deleted to the dead
///   letters, with its id and body, instead of delivering it again;
/// * **Q5** keep failures apart: what is not deleted of a batch comes again, alone;
/// * **Q6** refuse a delay over [`MAX_DELAY`] and a body over [`MAX_MESSAGE`] as `Invalid`;
/// * **Q7** take the deletion of a message that is already gone as done.
///
/// Order is not promised.
#[async_trait]
pub trait Queues: Send + Sync {
    /// Sends one message, to be seen after `delay`.
    async fn send(&self, queue: &str, body: &serde_json::Value, delay: Duration) -> Result<()>;

    /// Up to `max` (1 to 10) messages; waits up to `wait` for the first.
    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Message>>;

    /// The message is done.
    async fn delete(&self, queue: &str, receipt: &str) -> Result<()>;

    /// The message failed: it becomes visible again after `delay`.
    async fn release(&self, queue: &str, receipt: &str, delay: Duration) -> Result<()>;
}
