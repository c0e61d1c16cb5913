//! Uploads in parts: a folder for each, with the key in a file and the parts beside it, each named
//! after its number and checksum.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::UNIX_EPOCH,
};

use ports::{Checksum, Error, Part, Result, Uploaded, blobs::check_parts};

use super::files::{Files, Incoming, found};

/// The file in an upload's folder that holds the object's key.
const KEY: &str = "key";

pub(super) struct Uploads {
    files: Arc<Files>,
    /// Held while a part takes the place of another.
    replacing: Mutex<()>,
}

impl Uploads {
    pub(super) fn new(files: Arc<Files>) -> Self {
        Self { files, replacing: Mutex::default() }
    }

    pub(super) fn start(&self, key: &str, upload: &str) -> Result<()> {
        // elsewhere and then renamed: a folder without its key would never be found again
        let (aside, folder) = (self.files.aside(), self.files.uploads.join(upload));
        fs::create_dir(&aside).map_err(Error::unavailable)?;
        let incoming = self.files.incoming();
        incoming.write(|file| io::Write::write_all(file, key.as_bytes()))?;
        incoming.keep_beside(&aside.join(KEY))?;
        fs::rename(aside, &folder).map_err(Error::unavailable)?;
        self.files.sync_parent(&folder)
    }

    pub(super) fn put(&self, key: &str, upload: &str, part: Part, bytes: &[u8]) -> Result<()> {
        let place = self.place(key, upload, part)?;
        let incoming = self.files.incoming();
        incoming.write(|file| io::Write::write_all(file, bytes))?;
        self.keep(incoming, &place)
    }

    /// Puts a part that was written at its place, if its upload is still there.
    pub(super) fn keep(&self, part: Incoming, place: &Path) -> Result<()> {
        // takes long, and needs nobody to wait
        part.sync()?;
        // of two that came at the same time, each would remove the other
        let _alone = self.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        part.rename(place)?;
        replace_others(place)
    }

    /// Where the part belongs, if there is such an upload.
    pub(super) fn place(&self, key: &str, upload: &str, part: Part) -> Result<PathBuf> {
        part.check()?;
        Ok(self.folder(key, upload)?.join(name(part)))
    }

    /// The parts that are there, by rising numbers.
    pub(super) fn parts(&self, key: &str, upload: &str) -> Result<Vec<Uploaded>> {
        let folder = self.folder(key, upload)?;
        let mut parts = BTreeMap::<u32, Uploaded>::new();
        for entry in entries(&folder)?.flatten() {
            let Some(part) = read_name(&entry.file_name().to_string_lossy()) else { continue };
            let Some(metadata) = found(entry.metadata())? else { continue };
            let written = metadata.modified().map_err(Error::unavailable)?;
            let written = written.duration_since(UNIX_EPOCH).unwrap_or_default();
            let uploaded_ms = u64::try_from(written.as_millis()).unwrap_or(u64::MAX);
            let found = Uploaded { part, size: metadata.len(), uploaded_ms };
            // after a crash two may have the same number: the later one replaces the other
            if parts.get(&part.number).is_none_or(|other| other.uploaded_ms <= uploaded_ms) {
                parts.insert(part.number, found);
            }
        }
        Ok(parts.into_values().collect())
    }

    /// The unfinished uploads of the key.
    pub(super) fn of(&self, key: &str) -> Result<Vec<String>> {
        let mut uploads = Vec::new();
        for entry in self.files.uploads.read_dir().map_err(Error::unavailable)?.flatten() {
            // a file that is none of ours, `.DS_Store` for example, is no upload
            if entry.path().is_dir()
                && found(fs::read_to_string(entry.path().join(KEY)))?.as_deref() == Some(key)
            {
                uploads.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        Ok(uploads)
    }

    /// Joins the parts; the answer is the size of the object.
    pub(super) fn complete(&self, key: &str, upload: &str, parts: &[Part]) -> Result<u64> {
        let folder = self.folder(key, upload)?;
        check_parts(parts)?;
        let mut sources = Vec::with_capacity(parts.len());
        for &part in parts {
            // The checksum is in the name, and was that of the bytes when they were written.
            let source = folder.join(name(part));
            if !source.exists() {
                return Err(Error::Invalid(format!(
                    "part {} is missing or has another checksum: send it again",
                    part.number
                )));
            }
            sources.push(source);
        }
        let incoming = self.files.incoming();
        let size = incoming.write(|file| {
            sources.iter().map(|source| io::copy(&mut File::open(source)?, file)).sum()
        })?;
        incoming.keep(&self.files.path(key))?;
        self.remove(&folder)?;
        Ok(size)
    }

    pub(super) fn abort(&self, key: &str, upload: &str) -> Result<()> {
        match self.folder(key, upload) {
            Ok(folder) => self.remove(&folder),
            Err(Error::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Out of the way in one step, so that a crash on the way leaves nothing that stays.
    fn remove(&self, folder: &Path) -> Result<()> {
        let aside = self.files.aside();
        if found(fs::rename(folder, &aside))?.is_some() {
            self.files.sync_parent(folder)?;
            fs::remove_dir_all(aside).map_err(Error::unavailable)?;
        }
        Ok(())
    }

    fn folder(&self, key: &str, upload: &str) -> Result<PathBuf> {
        // Ids are made here; anything else must not become a path.
        let is_id = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if upload.is_empty() || !upload.bytes().all(is_id) {
            return Err(missing());
        }
        let folder = self.files.uploads.join(upload);
        match found(fs::read_to_string(folder.join(KEY)))? {
            Some(found) if found == key => Ok(folder),
            _ => Err(missing()),
        }
    }
}

/// What is in an upload's folder, which may have been joined or removed a moment ago.
fn entries(folder: &Path) -> Result<fs::ReadDir> {
    found(folder.read_dir())?.ok_or_else(missing)
}

fn missing() -> Error {
    Error::NotFound("there is no such upload of this key".to_owned())
}

/// A part sent again with other bytes takes the place of the first.
fn replace_others(place: &Path) -> Result<()> {
    let (Some(folder), Some(kept)) = (place.parent(), place.file_name()) else { return Ok(()) };
    let Some(number) = read_name(&kept.to_string_lossy()).map(|part| part.number) else {
        return Ok(());
    };
    let Some(entries) = found(folder.read_dir())? else { return Ok(()) };
    for entry in entries.flatten() {
        let other = entry.file_name();
        let same = read_name(&other.to_string_lossy()).is_some_and(|part| part.number == number);
        if same && other != kept {
            found(fs::remove_file(entry.path()))?;
        }
    }
    Ok(())
}

fn name(part: Part) -> String {
    format!("{}-{}", part.number, part.checksum.hex())
}

fn read_name(name: &str) -> Option<Part> {
    let (number, hex) = name.split_once('-')?;
    let checksum = Checksum::parse(&format!("sha256:{hex}"))?;
    Some(Part { number: number.parse().ok()?, checksum })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_folder_that_vanished_is_no_upload() {
        let directory = tempfile::tempdir().unwrap();
        let vanished = entries(&directory.path().join("upload_1"));
        assert!(matches!(vanished, Err(Error::NotFound(_))), "{vanished:?}");
    }
}
