//! The change feed of the table, and waiting for one item to change.

use std::time::Duration;

use async_trait::async_trait;

use crate::{Item, Key, Result, Token};

/// One change of one item.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Grows with every change; the same change has the same number whenever it is read.
    pub sequence: u64,
    /// The item.
    pub key: Key,
    /// As it was; `None` when it was created.
    pub old: Option<Item>,
    /// As it is; `None` when it was deleted.
    pub new: Option<Item>,
}

/// The feed: every change of the table, in order (DynamoDB Streams, old and new image).
///
/// An implementation MUST:
/// * **C1** deliver every change of [`Records`](crate::Records) to every named consumer at least
///   once, and those of one item in their order;
/// * **C2** deliver again, after a restart too, whatever the consumer did not `checkpoint`;
/// * **C3** deliver changes with their old and new image;
/// * **C4** keep consumers apart: one that lags does not hold up another;
/// * **C5** wake a [`Watch`] promptly, and never miss a change made after `watch` returned.
///
/// It MAY forget changes older than 24 hours.
#[async_trait]
pub trait Changes: Send + Sync {
    /// The changes behind the consumer's checkpoint, at most `max`, oldest first; waits up to
    /// `wait` for the first one, and is empty when none came. A new consumer starts with the
    /// oldest change that is kept.
    async fn read(&self, consumer: &str, max: usize, wait: Duration) -> Result<Vec<Change>>;

    /// Remembers that the consumer is done with everything up to `sequence`.
    async fn checkpoint(&self, consumer: &str, sequence: u64) -> Result<()>;

    /// Starts to watch one item.
    fn watch(&self, key: &Key) -> Box<dyn Watch>;
}

/// A pending interest in one item; dropping it ends it.
#[async_trait]
pub trait Watch: Send {
    /// The item's newest state, and how far the log must be on disk for that state to survive
    /// ([`Records::durable`](crate::Records::durable)), once it changed after the watch began (or after the last call);
    /// `None` when `patience` ran out first. `usual` is how long the change takes as a rule: a
    /// store that must poll spaces its reads by it.
    ///
    /// A deleted item comes back as an empty one, `{}`.
    async fn changed(
        &mut self,
        patience: Duration,
        usual: Duration,
    ) -> Result<Option<(Token, Item)>>;
}
