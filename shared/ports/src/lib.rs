//! The seven ports: everything the platform needs of the world, and nothing more.
//!
//! Each trait's documentation says what an implementation MUST do; the `conformance` crate holds
//! every implementation to it. The vocabulary is DynamoDB's, S3's and SQS's where they have a word,
//! and the promises are theirs too: no more than AWS keeps may be relied on.

pub mod blobs;
mod changes;
mod clock;
mod error;
pub mod functions;
mod item;
pub mod queues;
pub mod records;
mod restricted;
pub mod sockets;

use std::sync::Arc;

pub use blobs::{Blobs, Checksum, Method, Part, Stored, Uploaded};
pub use changes::{Change, Changes, Place, Sequence, Watch};
pub use clock::Clock;
pub use error::{Error, Result};
pub use functions::{Functions, MAX_PAYLOAD};
pub use item::Item;
pub use queues::{MAX_DELAY, MAX_MESSAGE, MAX_RECEIVES, Message, Queues};
pub use records::{
    Condition, Key, MAX_ITEM, MAX_TRANSACTION, Order, Page, Query, Records, Token, Write,
};
pub use restricted::Action;
pub use sockets::{MAX_FRAME, Sockets};

/// One implementation of each port: what a function is given.
#[derive(Clone)]
pub struct Ports {
    /// The table.
    pub records: Arc<dyn Records>,
    /// Its change feed.
    pub changes: Arc<dyn Changes>,
    /// The object store.
    pub blobs: Arc<dyn Blobs>,
    /// The message queues.
    pub queues: Arc<dyn Queues>,
    /// The devices' open connections.
    pub sockets: Arc<dyn Sockets>,
    /// The platform's other functions.
    pub functions: Arc<dyn Functions>,
    /// Time, ids and randomness.
    pub clock: Arc<dyn Clock>,
}
