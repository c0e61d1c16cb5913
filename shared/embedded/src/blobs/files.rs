//! Objects as files. A file is written elsewhere and renamed to its place when it is whole and on
//! disk. Its name is the hash of its key: so `a` and `a/b` can both be, keys that differ in case
//! only are two even where file names are not, and no key reaches outside.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use ports::{Checksum, Error, Result};

use crate::{
    directory::{Directory, OpenError, sync_folder},
    durability::Durability,
};

/// The folders of the object store.
pub(crate) struct Files {
    blobs: PathBuf,
    /// What is being written.
    incoming: PathBuf,
    /// The parts of unfinished uploads.
    pub(super) uploads: PathBuf,
    durability: Durability,
    /// The name of the next file in `incoming`, which nobody else writes to.
    next: AtomicU64,
}

/// A file being written; removed again unless it is `kept`.
pub(super) struct Incoming {
    pub(super) path: PathBuf,
    files: Arc<Files>,
    kept: bool,
}

impl Files {
    /// The folders in `directory`, without what a crash left half written.
    pub(crate) fn open(directory: &Directory, durability: Durability) -> Result<Self, OpenError> {
        let incoming = directory.folder("incoming")?;
        let remains = incoming.read_dir().map_err(|cause| directory.io(cause))?;
        for entry in remains.flatten() {
            let path = entry.path();
            let removed =
                if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            removed.map_err(|cause| directory.io(cause))?;
        }
        Ok(Self {
            blobs: directory.folder("blobs")?,
            incoming,
            uploads: directory.folder("uploads")?,
            durability,
            next: AtomicU64::new(0),
        })
    }

    /// Where the object `key` is.
    pub(super) fn path(&self, key: &str) -> PathBuf {
        let name = Checksum::of(key.as_bytes()).hex();
        let (folder, file) = name.split_at(2);
        self.blobs.join(folder).join(file)
    }

    /// A new place to write to.
    pub(super) fn incoming(self: &Arc<Self>) -> Incoming {
        Incoming { path: self.aside(), files: self.clone(), kept: false }
    }

    /// A path that nobody else has, and that a crash empties.
    pub(super) fn aside(&self) -> PathBuf {
        self.incoming.join(self.next.fetch_add(1, Ordering::Relaxed).to_string())
    }

    pub(super) fn put(self: &Arc<Self>, key: &str, bytes: &[u8]) -> Result<()> {
        let incoming = self.incoming();
        incoming.write(|file| file.write_all(bytes))?;
        incoming.keep(&self.path(key))
    }

    pub(super) fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>> {
        let Some(mut file) = found(File::open(self.path(key)))? else { return Ok(None) };
        let size = file.metadata().map_err(Error::unavailable)?.len();
        let range = range.unwrap_or(0..size);
        let (start, end) = (range.start.min(size), range.end.min(size));
        let mut bytes = Vec::with_capacity(end.saturating_sub(start) as usize);
        file.seek(SeekFrom::Start(start)).map_err(Error::unavailable)?;
        let mut part = file.take(end.saturating_sub(start));
        part.read_to_end(&mut bytes).map_err(Error::unavailable)?;
        Ok(Some(bytes.into()))
    }

    pub(super) fn size(&self, key: &str) -> Result<Option<u64>> {
        Ok(found(fs::metadata(self.path(key)))?.map(|metadata| metadata.len()))
    }

    pub(super) fn delete(&self, key: &str) -> Result<()> {
        let path = self.path(key);
        if found(fs::remove_file(&path))?.is_some() {
            self.sync_parent(&path)?;
        }
        Ok(())
    }

    /// Makes a rename or removal last, if a crash of the machine is to be survived.
    pub(super) fn sync_parent(&self, path: &Path) -> Result<()> {
        match (self.durability, path.parent()) {
            (Durability::Power, Some(folder)) => sync_folder(folder).map_err(Error::unavailable),
            _ => Ok(()),
        }
    }
}

impl Incoming {
    /// Writes the file by `fill`.
    pub(super) fn write<T>(&self, fill: impl FnOnce(&mut File) -> io::Result<T>) -> Result<T> {
        let write = || {
            let mut file = File::create_new(&self.path)?;
            fill(&mut file)
        };
        write().map_err(Error::unavailable)
    }

    /// Puts the file on disk and at its place, whose folder is made if it is not there.
    pub(super) fn keep(self, place: &Path) -> Result<()> {
        let folder = place.parent().unwrap_or(place);
        if !folder.exists() {
            let made = fs::create_dir_all(folder)
                .and_then(|()| sync_folder(folder.parent().unwrap_or(folder)));
            made.map_err(Error::unavailable)?;
        }
        self.keep_beside(place)
    }

    /// Puts the file on disk and at its place in a folder that somebody may remove meanwhile.
    pub(super) fn keep_beside(self, place: &Path) -> Result<()> {
        self.sync()?;
        self.rename(place)
    }

    /// Puts the file on disk, if a crash of the machine is to be survived.
    pub(super) fn sync(&self) -> Result<()> {
        match self.files.durability {
            Durability::Power => {
                File::open(&self.path).and_then(|file| file.sync_all()).map_err(Error::unavailable)
            }
            _ => Ok(()),
        }
    }

    /// Puts a file that is on disk at its place.
    pub(super) fn rename(mut self, place: &Path) -> Result<()> {
        if found(fs::rename(&self.path, place))?.is_none() {
            return Err(Error::NotFound("what this belongs to was removed".to_owned()));
        }
        self.kept = true;
        self.files.sync_parent(place)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.kept {
            // It may not have been made at all.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// `None` when there is no such file.
pub(super) fn found<T>(result: io::Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::unavailable(error)),
    }
}

pub(super) fn checksum_differs() -> Error {
    Error::Invalid(
        "the bytes do not have the SHA-256 that was announced: they were changed or cut on the \
         way, send them again"
            .to_owned(),
    )
}
