//! Time to live: an index of what expires when, swept in the background. The index is only a hint;
//! the item itself says whether it is due, so entries left from earlier writes do no harm.

use ports::{Clock, Error, Result};

use crate::{engine::Engine, table};

/// How many items go at once, so that writers are not held up for long.
const BATCH: usize = 32;

/// The entry of the index for the item under the engine's key `key`.
pub(crate) fn index_key(second: u64, key: &[u8]) -> Vec<u8> {
    [second.to_be_bytes().as_slice(), key].concat()
}

/// Removes some items that are due, as changes like any other; `false` when there are no more.
pub(crate) fn sweep(engine: &Engine) -> Result<bool> {
    let now = engine.clock.now_ms() / 1000;
    let due = engine.expiry.range(..now.to_be_bytes().to_vec()).take(BATCH);
    let entries = due.map(fjall::Guard::key).collect::<Result<Vec<_>, _>>();
    let entries = entries.map_err(Error::unavailable)?;
    if !entries.is_empty() {
        table::expire(engine, &entries, now)?;
    }
    Ok(entries.len() == BATCH)
}
