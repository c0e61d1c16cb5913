//! Queues: SQS standard queues, whose dead letters their redrive policy moves.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_sdk_sqs::{
    error::ProvideErrorMetadata, types::MessageSystemAttributeName::ApproximateReceiveCount,
};
use ports::{
    Error, Message, Queues, Result,
    queues::{check_batch, encode},
};
use serde_json::Value;
use tokio::time::Instant;

use crate::{clients::Clients, error::Request};

/// The longest that SQS waits for a message.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html>
const MAX_WAIT: Duration = Duration::from_secs(20);

/// The queues of the deployment.
#[derive(Debug)]
pub(crate) struct Sqs {
    clients: Arc<Clients>,
    /// What their URLs begin with.
    prefix: String,
}

impl Sqs {
    pub(crate) fn new(clients: Arc<Clients>, prefix: &str) -> Self {
        Self { clients, prefix: prefix.to_owned() }
    }

    fn url(&self, queue: &str) -> String {
        format!("{}{queue}", self.prefix)
    }

    async fn poll(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Message>> {
        let request = self
            .clients
            .queues
            .receive_message()
            .queue_url(self.url(queue))
            // checked to be 1 to 10
            .max_number_of_messages(max as i32)
            .visibility_timeout(seconds(visibility))
            .wait_time_seconds(seconds(wait))
            .message_system_attribute_names(ApproximateReceiveCount);
        let answer = request.send().await;
        let answer = answer.map_err(|error| failed(queue, "sqs:ReceiveMessage", error))?;
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(read).collect())
    }
}

/// SQS knows whole seconds only; nothing comes earlier than it was asked for.
fn seconds(duration: Duration) -> i32 {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    seconds.try_into().unwrap_or(i32::MAX)
}

fn failed<E, R>(queue: &str, action: &str, error: aws_sdk_sqs::error::SdkError<E, R>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let resource = format!("the queue {queue}");
    Request { resource: &resource, variable: "DCMP_QUEUES", action }.failed(error)
}

/// A message that is none of ours stays, and ends among the dead letters.
fn read(message: aws_sdk_sqs::types::Message) -> Option<Message> {
    let id = message.message_id?;
    let receives = message.attributes.as_ref().and_then(|all| all.get(&ApproximateReceiveCount));
    let receives = receives.and_then(|count| count.parse().ok()).unwrap_or(1);
    match serde_json::from_str(message.body.as_deref().unwrap_or_default()) {
        Ok(body) => Some(Message { id, receipt: message.receipt_handle?, receives, body }),
        Err(cause) => {
            tracing::error!(%cause, message.id = id, "a message is no JSON and is left alone");
            None
        }
    }
}

/// JSON text as SQS takes it: two characters that XML does not know are written as escapes.
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
fn sendable(json: Vec<u8>) -> Result<String> {
    let json = String::from_utf8(json).map_err(|error| Error::Invalid(error.to_string()))?;
    if !json.contains(['\u{FFFE}', '\u{FFFF}']) {
        return Ok(json);
    }
    Ok(json.replace('\u{FFFE}', "\\ufffe").replace('\u{FFFF}', "\\uffff"))
}

/// Whether a receipt names no delivery any more: the message was deleted, or delivered again.
fn is_over(error: &impl ProvideErrorMetadata) -> bool {
    let code = error.code().unwrap_or_default();
    let is_parameter = code.ends_with("InvalidParameterValue");
    code.ends_with("ReceiptHandleIsInvalid")
        || code.ends_with("MessageNotInflight")
        // what a receipt of a deleted message is called as well
        || (is_parameter && error.message().is_some_and(|said| said.contains("does not exist")))
}

#[async_trait]
impl Queues for Sqs {
    async fn send(&self, queue: &str, body: &Value, delay: Duration) -> Result<()> {
        let body = sendable(encode(body, delay)?)?;
        let request = self
            .clients
            .queues
            .send_message()
            .queue_url(self.url(queue))
            .message_body(body)
            .delay_seconds(seconds(delay));
        let answer = request.send().await;
        answer.map(drop).map_err(|error| failed(queue, "sqs:SendMessage", error))
    }

    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Message>> {
        check_batch(max)?;
        let deadline = Instant::now() + wait;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let messages = self.poll(queue, max, visibility, left.min(MAX_WAIT)).await?;
            if !messages.is_empty() || left <= MAX_WAIT {
                return Ok(messages);
            }
        }
    }

    async fn delete(&self, queue: &str, receipt: &str) -> Result<()> {
        let request =
            self.clients.queues.delete_message().queue_url(self.url(queue)).receipt_handle(receipt);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_over(&error) => Ok(()),
            Err(error) => Err(failed(queue, "sqs:DeleteMessage", error)),
        }
    }

    async fn release(&self, queue: &str, receipt: &str, delay: Duration) -> Result<()> {
        let request = self
            .clients
            .queues
            .change_message_visibility()
            .queue_url(self.url(queue))
            .receipt_handle(receipt)
            .visibility_timeout(seconds(delay));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if is_over(&error) => Ok(()),
            Err(error) => Err(failed(queue, "sqs:ChangeMessageVisibility", error)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use aws_smithy_types::error::ErrorMetadata;
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_comes_before_its_time() {
        let cases = [(0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2), (900_000, 900)];
        for (ms, expected) in cases {
            assert_eq!(seconds(Duration::from_millis(ms)), expected);
        }
    }

    #[test]
    fn every_text_can_be_sent() {
        let body = json!({"text": "a\u{0}\u{FFFE}\u{FFFF}\u{10FFFF}"});
        let sent = sendable(serde_json::to_vec(&body).unwrap()).unwrap();
        assert!(!sent.contains(['\u{0}', '\u{FFFE}', '\u{FFFF}']));
        assert_eq!(serde_json::from_str::<Value>(&sent).unwrap(), body);
    }

    #[test]
    fn a_receipt_of_what_is_over_is_no_error() {
        let gone = "Value x for parameter ReceiptHandle is invalid. Reason: Message does not exist or \
                    is not available for visibility timeout change.";
        let cases = [
            ("ReceiptHandleIsInvalid", "The input receipt handle is invalid.", true),
            ("AWS.SimpleQueueService.MessageNotInflight", "", true),
            ("InvalidParameterValue", gone, true),
            ("InvalidParameterValue", "VisibilityTimeout is out of range", false),
            ("AWS.SimpleQueueService.NonExistentQueue", "The queue does not exist", false),
        ];
        for (code, said, expected) in cases {
            let error = ErrorMetadata::builder().code(code).message(said).build();
            assert_eq!(is_over(&error), expected, "{code}: {said}");
        }
    }
}
