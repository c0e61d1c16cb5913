//! SQS: rustack, in memory.

use std::{collections::HashSet, sync::Arc};

use ports::MAX_RECEIVES;
use rustack_sqs_core::{config::SqsConfig, handler::RustackSqsHandler, provider::RustackSqs};
use rustack_sqs_http::service::{SqsHttpConfig, SqsHttpService};
use serde_json::json;
use tokio::sync::Mutex;

use super::http::Server;

/// The queues of a deployment.
pub(crate) struct Deployed {
    sqs: Arc<RustackSqs>,
    made: Mutex<HashSet<String>>,
}

impl Deployed {
    pub(crate) fn new() -> Self {
        Self { sqs: Arc::new(RustackSqs::new(SqsConfig::default())), made: Mutex::default() }
    }

    pub(crate) async fn serve(&self) -> Server {
        let handler = Arc::new(RustackSqsHandler::new(self.sqs.clone()));
        Server::service(SqsHttpService::new(handler, SqsHttpConfig::default())).await
    }

    /// Makes a queue with its dead letters, unless it is there.
    pub(crate) async fn make(&self, queue: &str) {
        let mut made = self.made.lock().await;
        if !made.insert(queue.to_owned()) {
            return;
        }
        let dead = format!("conf-{queue}-dead");
        let redrive = json!({
            "deadLetterTargetArn": format!("arn:aws:sqs:us-east-1:000000000000:{dead}"),
            "maxReceiveCount": MAX_RECEIVES,
        });
        made.insert(format!("{queue}-dead"));
        for create in [
            json!({"QueueName": dead}),
            json!({
                "QueueName": format!("conf-{queue}"),
                "Attributes": {"RedrivePolicy": redrive.to_string(), "MaximumMessageSize": "262144"},
            }),
        ] {
            self.sqs.create_queue(serde_json::from_value(create).unwrap()).await.unwrap();
        }
    }
}
