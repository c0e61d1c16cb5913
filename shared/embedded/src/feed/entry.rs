//! One entry of the feed in bytes: when, which item, and its old and new image.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use fjall::Slice;
use ports::{Change, Item, Place};

use crate::keys;

/// In the place of a length: there is no such image.
const NONE: u32 = u32::MAX;

/// A change as it is stored, borrowed from the bytes.
pub(crate) struct Entry<'a> {
    /// When it was made, in epoch milliseconds.
    pub(crate) time_ms: u64,
    /// The engine's key of the item.
    pub(crate) key: &'a [u8],
    /// The item's JSON before.
    pub(crate) old: Option<&'a [u8]>,
    /// The item's JSON after.
    pub(crate) new: Option<&'a [u8]>,
}

impl<'a> Entry<'a> {
    /// The entry in bytes.
    pub(crate) fn encode(&self) -> Slice {
        let parts = [Some(self.key), self.old, self.new];
        let size = parts.iter().flatten().map(|part| part.len()).sum::<usize>();
        let mut bytes = Vec::with_capacity(size + 20);
        bytes.extend_from_slice(&self.time_ms.to_be_bytes());
        for part in parts {
            // Keys and items are checked to be far smaller than 4 GB.
            let length = part.map_or(NONE, |part| part.len() as u32);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(part.unwrap_or_default());
        }
        bytes.into()
    }

    /// Reads what `encode` wrote.
    pub(crate) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (time, mut rest) = bytes.split_first_chunk()?;
        let mut part = || {
            let (length, behind) = rest.split_first_chunk()?;
            let length = u32::from_be_bytes(*length);
            if length == NONE {
                rest = behind;
                return Some(None);
            }
            let (part, behind) = behind.split_at_checked(length as usize)?;
            rest = behind;
            Some(Some(part))
        };
        Some(Self { time_ms: u64::from_be_bytes(*time), key: part()??, old: part()?, new: part()? })
    }

    /// The change; its images are read by whoever needs them.
    pub(super) fn change(&self, sequence: u64) -> Option<Change> {
        self.change_to(sequence, self.new.map(image))
    }

    /// The change, with the new image at hand.
    pub(super) fn change_to(&self, sequence: u64, new: Option<Item>) -> Option<Change> {
        Some(Change {
            place: place(sequence),
            key: keys::decode(self.key)?,
            old: self.old.map(image),
            new,
        })
    }
}

/// Where a change is: this feed is one shard.
pub(super) fn place(sequence: u64) -> Place {
    static SHARD: LazyLock<Arc<str>> = LazyLock::new(|| "all".into());
    Place { shard: SHARD.clone(), sequence: sequence.into() }
}

fn image(json: &[u8]) -> Item {
    Item::from_json(Bytes::copy_from_slice(json))
}
