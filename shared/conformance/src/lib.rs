//! What every implementation of the ports must do, as checks.
//!
//! Each MUST of the ports' documentation (R1 … K4) is at least one check here, which says what it
//! saw when an implementation violates it. An implementation brings a [`Subject`] and runs
//! [`checks`] on it; the suite knows nothing of how it works.

mod blobs;
mod changes;
mod clock;
mod functions;
mod queues;
mod records;
mod sockets;
mod support;

use std::{panic::AssertUnwindSafe, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use ports::{Method, Ports};

pub use functions::{FUNCTIONS, LIMIT, behave};

/// An implementation under test: a store of its own, empty at first.
#[async_trait]
pub trait Subject: Send {
    /// The ports; those after [`crash`](Subject::crash) may be others than those before.
    fn ports(&self) -> Ports;

    /// Ends the store as if its process was killed at this instant, and starts it again on what
    /// survived.
    async fn crash(&mut self);

    /// Opens a connection of a device.
    async fn connect(&self) -> Box<dyn Peer>;

    /// Uses a presigned URL as a client would, with `body` as the request's body.
    async fn transfer(&self, url: &str, method: Method, body: Bytes) -> Answer;

    /// Where presigned URLs are made for.
    fn base(&self) -> String;

    /// How long to wait for what must come, before it counts as never.
    fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }
}

/// A device's end of a connection.
#[async_trait]
pub trait Peer: Send {
    /// The connection's id.
    fn id(&self) -> &str;

    /// The next message; `None` when the connection is closed.
    async fn recv(&mut self) -> Option<String>;
}

/// The answer to a transfer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

/// One check of one MUST.
#[derive(Clone, Copy)]
pub struct Check {
    /// What it checks, as in the ports' documentation: `R1`.
    pub must: &'static str,
    /// What it does, in words.
    pub name: &'static str,
    run: for<'a> fn(&'a mut dyn Subject) -> BoxFuture<'a, Result<(), support::Failure>>,
}

impl Check {
    /// Runs the check on a fresh subject.
    ///
    /// # Errors
    /// What was seen that must not be.
    pub async fn run(&self, subject: &mut dyn Subject) -> Result<(), String> {
        match AssertUnwindSafe((self.run)(subject)).catch_unwind().await {
            Ok(result) => result.map_err(|failure| failure.0),
            Err(_panic) => Err("it panicked".to_owned()),
        }
    }
}

/// All checks of all ports.
pub fn checks() -> Vec<Check> {
    [
        records::CHECKS,
        changes::CHECKS,
        blobs::CHECKS,
        queues::CHECKS,
        sockets::CHECKS,
        functions::CHECKS,
        clock::CHECKS,
    ]
    .concat()
}
