//! Time to live: an index of what expires when, swept in the background. The index is only a hint;
//! the item itself says whether it is due, so entries left from earlier writes do no harm.

use ports::{Clock, Item, Result};

use crate::{engine::Engine, table};

/// The attribute with the epoch second after which an item may go.
const EXPIRES_AT: &str = "expires_at";

/// How many items one sweep removes at most, so that it does not hold up writers for long.
const SWEEP: usize = 1000;

/// When the item expires, in epoch seconds.
pub(crate) fn expires_at(item: &Item) -> Option<u64> {
    item.get(EXPIRES_AT)?.as_u64()
}

/// The entry of the index for the item under the engine's key `key`.
pub(crate) fn index_key(second: u64, key: &[u8]) -> Vec<u8> {
    [second.to_be_bytes().as_slice(), key].concat()
}

/// Removes items that are due, as changes like any other; returns how many entries were looked at.
pub(crate) fn sweep(engine: &Engine) -> Result<usize> {
    let now = engine.clock.now_ms() / 1000;
    let mut seen = 0;
    for entry in engine.expiry.range(..now.to_be_bytes().to_vec()).take(SWEEP) {
        let entry = entry.key().map_err(ports::Error::unavailable)?;
        seen += 1;
        if let Some((_, key)) = entry.split_first_chunk::<8>() {
            table::expire(engine, key, &entry, now)?;
        }
    }
    Ok(seen)
}
