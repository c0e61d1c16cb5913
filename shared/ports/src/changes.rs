//! The change feed of the table, and waiting for one item to change.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, Item, Key, Result, Token};

/// The number of a change: a decimal one of up to 40 digits, as DynamoDB Streams give them, and shown
/// and stored so.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence {
    /// What is above the lower [`LOW_DIGITS`] digits.
    high: u8,
    low: u128,
}

/// How many digits of a number are in one `u128`.
const LOW_DIGITS: usize = 38;

impl From<u64> for Sequence {
    fn from(number: u64) -> Self {
        Self { high: 0, low: number.into() }
    }
}

impl Sequence {
    /// The number, if it is as small as those of a store on one machine.
    pub fn number(self) -> Option<u64> {
        if self.high == 0 { self.low.try_into().ok() } else { None }
    }
}

impl FromStr for Sequence {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::Invalid(format!("{text:?} is no number of up to 40 digits"));
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let (high, low) = text.split_at(text.len().saturating_sub(LOW_DIGITS));
        let high = if high.is_empty() { Ok(0) } else { high.parse() };
        match (high, low.parse()) {
            (Ok(high), Ok(low)) => Ok(Self { high, low }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.high {
            0 => write!(f, "{}", self.low),
            high => write!(f, "{high}{:0LOW_DIGITS$}", self.low),
        }
    }
}

impl Serialize for Sequence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sequence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Where a change is in the feed. Places compare within a shard only; the shards are the parts of the
/// feed that are read apart from each other, and each item's changes are in one at a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The shard's id.
    pub shard: Arc<str>,
    /// Grows with every change of the shard.
    pub sequence: Sequence,
}

/// One change of one item.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The same whenever the change is read.
    pub place: Place,
    /// The item.
    pub key: Key,
    /// As it was; `None` when it was created.
    pub old: Option<Item>,
    /// As it is; `None` when it was deleted.
    pub new: Option<Item>,
}

/// The feed: every change of the table (DynamoDB Streams, old and new image).
///
/// An implementation MUST:
/// * **C1** deliver every change of [`Records`](crate::Records) to every named consumer at least
///   once, and those of one item in their order;
/// * **C2** deliver again, after a restart too, whatever the consumer did not `checkpoint`;
/// * **C3** deliver changes with their old and new image;
/// * **C4** keep consumers apart: one that lags does not hold up another;
/// * **C5** wake a [`Watch`] promptly, and never miss a change made after `watch` returned. One that
///   must poll first looks at the item when `changed` waits, so it MAY hand over as a change what it
///   finds then, and MAY take an item that was deleted before that for one that never was.
///
/// It MAY forget changes older than 24 hours.
#[async_trait]
pub trait Changes: Send + Sync {
    /// The changes of one shard behind the consumer's checkpoint, at most `max`, oldest first; waits
    /// up to `wait` for the first one, and is empty when none came. A new consumer starts with the
    /// oldest change that is kept.
    async fn read(&self, consumer: &str, max: usize, wait: Duration) -> Result<Vec<Change>>;

    /// Remembers that the consumer is done with everything of the shard up to `place`.
    async fn checkpoint(&self, consumer: &str, place: &Place) -> Result<()>;

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn numbers_of_all_lengths_come_back_and_compare() {
        let nines = |digits| "9".repeat(digits);
        let texts =
            ["0".to_owned(), nines(1), nines(21), nines(38), format!("1{:039}", 7), nines(40)];
        let mut last = None;
        for text in texts {
            let sequence: Sequence = text.parse().unwrap();
            assert_eq!(sequence.to_string(), text);
            let json = serde_json::to_string(&sequence).unwrap();
            assert_eq!(serde_json::from_str::<Sequence>(&json).unwrap(), sequence);
            assert!(Some(sequence) > last, "{text}");
            last = Some(sequence);
        }
        assert_eq!("007".parse::<Sequence>().unwrap(), Sequence::from(7));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "-1", "+1", "1 ", "1e3", "shard", &"9".repeat(41)] {
            assert!(matches!(text.parse::<Sequence>(), Err(Error::Invalid(_))), "{text}");
        }
    }
}
