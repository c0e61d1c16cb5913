//! The seven ports on AWS: DynamoDB with its streams, S3, SQS, API Gateway and Lambda.
//!
//! Nothing is promised here that AWS does not: the `conformance` crate holds this crate to the ports'
//! contracts as any other, against emulators that others wrote. The SDK sends a request again when it
//! was throttled or its answer was lost, so a conditional write may find its own effect: whoever gets
//! [`ConditionFailed`](ports::Error::ConditionFailed) looks at the item that comes with it.

mod attributes;
mod blobs;
mod changes;
mod clients;
mod config;
mod error;
mod functions;
mod https;
mod queues;
mod records;
mod sockets;

use std::sync::Arc;

use clock::SystemClock;
use ports::Ports;

use self::{
    blobs::Bucket, changes::Streams, clients::Clients, functions::Lambdas, queues::Sqs,
    records::Table, sockets::Connections,
};
pub use self::{
    changes::{Event, changes},
    config::{Config, ConfigError, Endpoints},
};

/// The ports of a deployment. Makes the clients, so once per process; sends nothing yet.
pub fn ports(config: &Config) -> Ports {
    let clients = Clients::new(config);
    let clock = Arc::new(SystemClock::new());
    let table = Arc::new(Table::new(clients.clone(), &config.table, clock.clone()));
    Ports {
        records: table.clone(),
        changes: Arc::new(Streams::new(clients.clone(), table, clock.clone())),
        blobs: Arc::new(Bucket::new(clients.clone(), &config.bucket)),
        queues: Arc::new(Sqs::new(clients.clone(), &config.queues)),
        sockets: Arc::new(Connections::new(clients.clone(), &config.socket)),
        functions: Arc::new(Lambdas::new(clients, &config.functions)),
        clock,
    }
}
