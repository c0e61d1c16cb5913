//! A deployment for one check: an empty table, a bucket, and whatever queues and functions it names.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_credential_types::Credentials;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use conformance::{Answer, Peer, Subject};
use dcmp_aws::{Config, Endpoints};
use ports::{Message, Method, Ports, Queues, Result};
use serde_json::Value;

use crate::emulators::{http, lambda, queues::Deployed, s3, sockets, table};

/// What the emulator of S3 takes signatures of.
const SECRET: &str = "test";

pub(crate) struct Cloud {
    config: Config,
    queues: Arc<Deployed>,
    sockets: sockets::Server,
    _servers: Vec<http::Server>,
}

impl Cloud {
    pub(crate) async fn start() -> Self {
        Self::start_as(|_| {}).await
    }

    /// One whose functions are told something else than what there is.
    pub(crate) async fn start_as(change: impl FnOnce(&mut Config)) -> Self {
        let (queues, sockets) = (Arc::new(Deployed::new()), sockets::Server::default());
        let (table, bucket) = ("conformance", "conformance");
        let at_table = table::serve(table).await;
        let at_s3 = s3::serve(bucket).await;
        let at_queues = queues.serve().await;
        let at_lambda = lambda::serve("conf-").await;
        let at_sockets = sockets.serve().await;
        let by_service = BTreeMap::from([
            ("DYNAMODB", at_table.url()),
            ("DYNAMODB_STREAMS", at_table.url()),
            ("S3", at_s3.url()),
            ("SQS", at_queues.url()),
            ("LAMBDA", at_lambda.url()),
        ]);
        let mut config = Config {
            region: "us-east-1".to_owned(),
            credentials: Credentials::new("AKIACONFORMANCE", SECRET, None, None, "conformance"),
            table: table.to_owned(),
            bucket: bucket.to_owned(),
            queues: format!("{}/000000000000/conf-", at_queues.url()),
            functions: "conf-".to_owned(),
            socket: format!("{}/conformance", at_sockets.url()),
            endpoints: Endpoints { all: None, by_service },
        };
        change(&mut config);
        let servers = vec![at_table, at_s3, at_queues, at_lambda, at_sockets];
        Self { config, queues, sockets, _servers: servers }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }
}

#[async_trait]
impl Subject for Cloud {
    /// Of a process of its own: nothing is remembered from one call to the next.
    fn ports(&self) -> Ports {
        let ports = dcmp_aws::ports(&self.config);
        let queues = Made { queues: ports.queues.clone(), deployed: self.queues.clone() };
        Ports { queues: Arc::new(queues), ..ports }
    }

    /// AWS goes on when a function dies; the next one has new ports.
    async fn crash(&mut self) {}

    async fn connect(&self) -> Box<dyn Peer> {
        Box::new(self.sockets.connect())
    }

    async fn transfer(&self, url: &str, method: Method, body: Bytes) -> Answer {
        let request = ::http::Request::builder().uri(url);
        let request = match method {
            Method::Get => request.method("GET"),
            Method::Put(None) => request.method("PUT"),
            Method::Put(Some(checksum)) => request
                .method("PUT")
                .header("x-amz-checksum-sha256", BASE64.encode(checksum.digest())),
        };
        http::send(request, body).await
    }

    /// Buckets are where they are, whoever asks.
    fn base(&self) -> String {
        "http://nowhere.invalid".to_owned()
    }
}

/// Queues are there before anybody sends to them, as in a deployment.
struct Made {
    queues: Arc<dyn Queues>,
    deployed: Arc<Deployed>,
}

#[async_trait]
impl Queues for Made {
    async fn send(&self, queue: &str, body: &Value, delay: Duration) -> Result<()> {
        self.deployed.make(queue).await;
        self.queues.send(queue, body, delay).await
    }

    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Message>> {
        self.deployed.make(queue).await;
        self.queues.receive(queue, max, visibility, wait).await
    }

    async fn delete(&self, queue: &str, receipt: &str) -> Result<()> {
        self.queues.delete(queue, receipt).await
    }

    async fn release(&self, queue: &str, receipt: &str, delay: Duration) -> Result<()> {
        self.queues.release(queue, receipt, delay).await
    }
}
