//! Putting the engine's journal on disk without standing in the way of writers.
//!
//! The engine's own `persist` holds its write lock for the whole `fdatasync`, some 0.2 to 10 ms in
//! which every writer would block a thread of the runtime. Here only the copy to the operating
//! system is made under that lock; the `fdatasync` goes through a second handle of the same file.

mod salvage;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use fjall::{Database, PersistMode};

pub(crate) use salvage::cut_torn_end;

/// The journal file that the engine is writing to.
pub(crate) struct Journal {
    folder: PathBuf,
    number: u64,
    file: File,
}

impl Journal {
    /// Finds the newest journal `{number}.jnl` in the engine's folder.
    pub(crate) fn find(folder: &Path) -> io::Result<Self> {
        let number = newest(folder)?;
        let file = File::open(path(folder, number))?;
        Ok(Self { folder: folder.to_owned(), number, file })
    }

    /// Puts everything on disk that was committed before the call.
    pub(crate) fn sync(&mut self, engine: &Database) -> Result<(), fjall::Error> {
        engine.persist(PersistMode::Buffer)?;
        self.follow()?;
        Ok(self.file.sync_data()?)
    }

    /// Goes on to the newest file. The engine syncs a journal before it begins the next, so the
    /// newest is all that is left to do.
    fn follow(&mut self) -> io::Result<()> {
        loop {
            match File::open(path(&self.folder, self.number + 1)) {
                Ok(next) => {
                    self.file = next;
                    self.number += 1;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(error),
            }
        }
        // Journals are deleted oldest first: where this one is gone, so may be some that came after.
        if !path(&self.folder, self.number).try_exists()? {
            *self = Self::find(&self.folder)?;
        }
        Ok(())
    }
}

/// The number of the newest journal.
fn newest(folder: &Path) -> io::Result<u64> {
    let mut newest = None;
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let number =
            path.file_name().and_then(|name| name.to_str()?.strip_suffix(".jnl")?.parse().ok());
        newest = newest.max(number);
    }
    newest.ok_or_else(|| io::Error::other("the engine keeps its journal in an unknown place"))
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number}.jnl"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use fjall::KeyspaceCreateOptions;

    use super::*;

    /// Fails when a new version of the engine keeps its journal elsewhere.
    #[test]
    fn the_journal_that_is_synced_is_the_one_that_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Database::builder(folder.path()).manual_journal_persist(true).open().unwrap();
        let keyspace = engine.keyspace("k", KeyspaceCreateOptions::default).unwrap();
        let mut journal = Journal::find(folder.path()).unwrap();
        let marker = b"a value that nothing else writes";
        let mut batch = engine.batch();
        batch.insert(&keyspace, "key", marker);
        batch.commit().unwrap();
        journal.sync(&engine).unwrap();
        let bytes = std::fs::read(path(folder.path(), journal.number)).unwrap();
        assert!(bytes.windows(marker.len()).any(|window| window == marker));
    }

    #[test]
    fn journals_that_came_and_went_between_two_rounds_are_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let make = |number| std::fs::write(path(folder.path(), number), []).unwrap();
        let remove = |number| std::fs::remove_file(path(folder.path(), number)).unwrap();
        make(3);
        let mut journal = Journal::find(folder.path()).unwrap();
        make(4);
        journal.follow().unwrap();
        assert_eq!(journal.number, 4);
        make(7);
        remove(3);
        remove(4);
        journal.follow().unwrap();
        assert_eq!(journal.number, 7);
    }
}
