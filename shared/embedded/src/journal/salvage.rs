//! Opening after a loss of power that tore the journal's end.
//!
//! Pages that were never synced reach the disk in any order or not at all. The engine cuts off most
//! torn ends by itself; but it refuses to open when the last batch has both its ends and a hole
//! between. Nothing behind the last whole batch can have been acknowledged, since a sync of a later
//! batch would have brought the hole with it: so the journal is cut there, as the engine does in the
//! other cases. What is cut is kept in a file beside it, in case it was the disk that went bad.

use std::{
    fs::{self, OpenOptions},
    io,
    path::Path,
};

use xxhash_rust::xxh3::Xxh3;

/// What ends a batch (fjall's journal of format 3).
const TRAILER: &[u8] = b"FJL\x03";

/// Cuts the newest journal in `folder` behind its last whole batch; returns how many bytes went.
pub(crate) fn cut_torn_end(folder: &Path) -> io::Result<u64> {
    let number = super::newest(folder)?;
    let path = super::path(folder, number);
    let journal = fs::read(&path)?;
    let whole = whole_batches(&journal);
    let torn = &journal[whole..];
    // The file is made larger than what is written, so it ends in zeros.
    let written = torn.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    fs::write(path.with_extension("torn"), &torn[..written])?;
    let file = OpenOptions::new().write(true).open(&path)?;
    file.set_len(whole as u64)?;
    file.sync_all()?;
    Ok(written as u64)
}

/// How many bytes the whole batches at the beginning have.
fn whole_batches(journal: &[u8]) -> usize {
    let mut rest = journal;
    while let Some(behind) = batch(rest) {
        rest = behind;
    }
    journal.len() - rest.len()
}

/// What follows the batch at the beginning, if that is whole.
fn batch(bytes: &[u8]) -> Option<&[u8]> {
    let (count, mut rest) = bytes.strip_prefix(&[1])?.split_first_chunk()?;
    rest = rest.get(size_of::<u64>()..)?;
    let mut hash = Xxh3::new();
    for _ in 0..u32::from_le_bytes(*count) {
        let (entry, behind) = rest.split_at_checked(entry_length(rest)?)?;
        hash.update(entry);
        rest = behind;
    }
    let (checksum, behind) = rest.strip_prefix(&[3])?.split_first_chunk()?;
    let whole = u64::from_le_bytes(*checksum) == hash.digest();
    behind.strip_prefix(TRAILER).filter(|_| whole)
}

/// The length of the entry at the beginning: a changed key, or a keyspace that was cleared.
fn entry_length(bytes: &[u8]) -> Option<usize> {
    match bytes.first()? {
        // Tag, kind, compression and keyspace, then the lengths of key, value and stored value.
        2 => {
            let (key, lengths) = bytes.get(11..)?.split_first_chunk()?;
            let (_value, lengths) = lengths.split_first_chunk::<4>()?;
            let (stored, _) = lengths.split_first_chunk()?;
            let (key, stored) = (u16::from_le_bytes(*key), u32::from_le_bytes(*stored));
            Some(21 + usize::from(key) + usize::try_from(stored).ok()?)
        }
        4 => Some(9),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use clock::SystemClock;
    use fjall::{Database, KeyspaceCreateOptions, PersistMode};

    use super::*;
    use crate::{durability::Durability, engine::Engine};

    /// As after a loss of power: of the last batch the beginning and the end are on disk, and the
    /// page between is not.
    #[test]
    fn a_torn_end_is_cut_and_all_before_it_kept() {
        let folder = tempfile::tempdir().unwrap();
        // Nothing that compression makes smaller.
        let value = |seed: u64| {
            let hashes = (0..2500_u64).map(|i| xxhash_rust::xxh3::xxh3_64_with_seed(&[], seed + i));
            hashes.flat_map(u64::to_le_bytes).collect::<Vec<_>>()
        };
        {
            let engine =
                Database::builder(folder.path()).manual_journal_persist(true).open().unwrap();
            let records = engine.keyspace("records", KeyspaceCreateOptions::default).unwrap();
            for (key, seed) in [("first", 1), ("second", 10_000), ("torn", 20_000)] {
                let mut batch = engine.batch();
                batch.insert(&records, key, value(seed));
                batch.insert(&records, format!("{key}-small"), "x");
                batch.commit().unwrap();
            }
            engine.persist(PersistMode::SyncAll).unwrap();
        }
        let path = super::super::path(folder.path(), super::super::newest(folder.path()).unwrap());
        let mut journal = fs::read(&path).unwrap();
        let whole = whole_batches(&journal);
        assert!(journal[whole..].iter().all(|byte| *byte == 0), "the format is as it is read here");
        let key = journal.windows(4).position(|window| window == b"torn").unwrap();
        journal[key + 8192..key + 12288].fill(0);
        fs::write(&path, &journal).unwrap();

        let open = || {
            let clock = std::sync::Arc::new(SystemClock::new());
            Engine::open(folder.path(), Durability::Power, clock)
        };
        let engine = open().unwrap();
        assert_eq!(engine.records.get("first").unwrap().as_deref(), Some(&value(1)[..]));
        assert_eq!(engine.records.get("second-small").unwrap().as_deref(), Some(&b"x"[..]));
        assert!(engine.records.get("torn-small").unwrap().is_none());
        assert!(path.with_extension("torn").exists());
    }
}
