//! A batch of the table's stream. The handler takes it as a whole; when that fails, Lambda brings the
//! batch again, from its first change on.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html>

use api::OnFeed;
use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Map, Value};
use service::App;

use crate::{
    Failure,
    function::{Answer, Kind},
    queue::{Failed, Item},
};

/// What Lambda is told of a batch of a tumbling window. Nothing is kept from one batch to the next, but
/// an answer without a state would count as a failed run.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html>
#[derive(Default, Serialize)]
struct Window {
    state: Map<String, Value>,
    #[serde(flatten)]
    failed: Failed,
}

pub(crate) struct Feed {
    pub(crate) app: App,
    pub(crate) handler: OnFeed,
}

#[async_trait]
impl Kind for Feed {
    async fn handle(&self, event: &str) -> Result<Answer, Failure> {
        let event: aws::Event = serde_json::from_str(event)
            .map_err(|cause| Failure::event("a batch of a DynamoDB stream", cause))?;
        let changes = aws::changes(event).map_err(service::Error::from)?;
        // a window may end with nothing in it
        let Some(first) = changes.first() else { return Answer::new(&Window::default()) };
        let first = first.place.sequence.to_string();
        match (self.handler)(self.app.clone(), changes).await.map_err(Failure::from) {
            Ok(()) => Answer::new(&Window::default()),
            Err(cause) => {
                tracing::error!(%cause, sequence = first, "the feed is held up");
                let batch_item_failures = vec![Item { item_identifier: first }];
                let failed = Failed { batch_item_failures };
                let answer = Answer::new(&Window { failed, ..Window::default() })?;
                Ok(Answer { errors: 1, ..answer })
            }
        }
    }
}
