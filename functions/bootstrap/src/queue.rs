//! A batch of a queue's messages. Each is handled by itself, and only those that failed come again:
//! after the queue's visibility timeout, and at last to the dead letters.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting>

use api::OnQueue;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::App;
use tracing::Instrument;

use crate::{
    Failure,
    function::{Answer, Kind},
};

pub(crate) struct Queue {
    pub(crate) app: App,
    pub(crate) handler: OnQueue,
}

/// What SQS brings.
/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>
#[derive(Deserialize)]
struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    message_id: String,
    body: String,
    attributes: Attributes,
}

/// Numbers, as texts.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes {
    /// Epoch milliseconds.
    sent_timestamp: String,
    approximate_receive_count: String,
}

/// Which messages come again.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Failed {
    pub(crate) batch_item_failures: Vec<Item>,
}

/// A message by its id, or a change by its number.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Item {
    pub(crate) item_identifier: String,
}

#[async_trait]
impl Kind for Queue {
    async fn handle(&self, event: &str) -> Result<Answer, Failure> {
        let batch: Batch = serde_json::from_str(event)
            .map_err(|cause| Failure::event("messages of SQS", cause))?;
        let now_ms = self.app.ports.clock.now_ms();
        let number = |text: &str| text.parse::<u64>().ok();
        let sent =
            batch.records.iter().filter_map(|record| number(&record.attributes.sent_timestamp));
        let queue_age_ms = sent.min().map(|sent_ms| now_ms.saturating_sub(sent_ms));
        let receives = batch
            .records
            .iter()
            .filter_map(|record| number(&record.attributes.approximate_receive_count));
        let receives = receives.max();
        let handled = batch.records.into_iter().map(|record| self.one(record));
        let failed: Vec<_> =
            futures::future::join_all(handled).await.into_iter().flatten().collect();
        let errors = failed.len() as u64;
        let answer = Answer::new(&Failed { batch_item_failures: failed })?;
        Ok(Answer { errors, queue_age_ms, receives, ..answer })
    }
}

impl Queue {
    /// Handles one message; it is returned if it is to come again.
    async fn one(&self, record: Record) -> Option<Item> {
        let Record { message_id, body, attributes } = record;
        let handled = match serde_json::from_str::<Value>(&body) {
            Ok(body) => {
                let text = |name: &str| body[name].as_str().map(str::to_owned);
                let span = tracing::info_span!(
                    "message",
                    message.id = message_id,
                    job = text("job"),
                    device.id = text("device"),
                    model.id = text("model"),
                );
                (self.handler)(self.app.clone(), body).instrument(span).await.map_err(Failure::from)
            }
            Err(cause) => Err(Failure::event("a message in JSON", cause)),
        };
        let cause = handled.err()?;
        tracing::warn!(
            %cause,
            message.id = message_id,
            message.receives = attributes.approximate_receive_count,
            "a message failed"
        );
        Some(Item { item_identifier: message_id })
    }
}
