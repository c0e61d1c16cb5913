//! Uploads in parts: a folder for each, with the key in a file and the parts beside it, each named
//! after its number and checksum.

use std::{
    fs::{self, File},
    io,
    path::PathBuf,
    sync::Arc,
};

use ports::{Error, Part, Result};

use super::files::{Files, found};

/// The greatest number of a part, S3's limit.
const MAX_PART: u32 = 10_000;

/// The file in an upload's folder that holds the object's key.
const KEY: &str = "key";

pub(super) struct Uploads {
    files: Arc<Files>,
}

impl Uploads {
    pub(super) fn new(files: Arc<Files>) -> Self {
        Self { files }
    }

    pub(super) fn start(&self, key: &str, upload: &str) -> Result<()> {
        let folder = self.files.uploads.join(upload);
        fs::create_dir(&folder).map_err(Error::unavailable)?;
        self.files.sync_parent(&folder)?;
        let incoming = self.files.incoming();
        incoming.write(|file| io::Write::write_all(file, key.as_bytes()))?;
        incoming.keep(&folder.join(KEY))
    }

    pub(super) fn put(&self, key: &str, upload: &str, part: Part, bytes: &[u8]) -> Result<()> {
        let place = self.place(key, upload, part)?;
        let incoming = self.files.incoming();
        incoming.write(|file| io::Write::write_all(file, bytes))?;
        incoming.keep(&place)?;
        self.replace_others(&place)
    }

    /// Where the part belongs, if there is such an upload.
    pub(super) fn place(&self, key: &str, upload: &str, part: Part) -> Result<PathBuf> {
        check(upload, part.number)?;
        Ok(self.folder(key, upload)?.join(name(part)))
    }

    /// A part sent again with other bytes takes the place of the first.
    pub(super) fn replace_others(&self, place: &std::path::Path) -> Result<()> {
        let (Some(folder), Some(kept)) = (place.parent(), place.file_name()) else { return Ok(()) };
        let number = kept.to_string_lossy().split('-').next().map(str::to_owned);
        for entry in folder.read_dir().map_err(Error::unavailable)?.flatten() {
            let other = entry.file_name();
            let same = other.to_string_lossy().split('-').next().map(str::to_owned) == number;
            if same && other != kept {
                found(fs::remove_file(entry.path()))?;
            }
        }
        Ok(())
    }

    /// Joins the parts; the answer is the size of the object.
    pub(super) fn complete(&self, key: &str, upload: &str, parts: &[Part]) -> Result<u64> {
        let folder = self.folder(key, upload)?;
        if parts.is_empty() {
            return Err(Error::Invalid("an upload is completed with at least one part".to_owned()));
        }
        if parts.windows(2).any(|pair| pair[0].number >= pair[1].number) {
            return Err(Error::Invalid("list the parts by rising numbers, each once".to_owned()));
        }
        let mut sources = Vec::with_capacity(parts.len());
        for &part in parts {
            check(upload, part.number)?;
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
        fs::remove_dir_all(folder).map_err(Error::unavailable)?;
        Ok(size)
    }

    pub(super) fn abort(&self, key: &str, upload: &str) -> Result<()> {
        match self.folder(key, upload) {
            Ok(folder) => fs::remove_dir_all(folder).map_err(Error::unavailable),
            Err(Error::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn folder(&self, key: &str, upload: &str) -> Result<PathBuf> {
        let missing = || Error::NotFound("there is no such upload of this key".to_owned());
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

/// Whether the part's number is allowed.
pub(super) fn check(upload: &str, number: u32) -> Result<()> {
    if (1..=MAX_PART).contains(&number) {
        return Ok(());
    }
    Err(Error::Invalid(format!("part {number} of {upload}: parts are numbered 1 to {MAX_PART}")))
}

fn name(part: Part) -> String {
    format!("{}-{}", part.number, part.checksum.hex())
}
