//! The data directory: whose it is at the moment, which format it has, and its secret.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use clock::SystemClock;
use ports::Clock;

/// The format that this version writes; raised when an older version would misread it.
const FORMAT: u32 = 1;

/// Why a data directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "the data directory {directory} is in use by {owner}: stop that one, or give this one \
         another directory with --data"
    )]
    InUse {
        /// The directory.
        directory: PathBuf,
        /// Who has it, as far as known.
        owner: String,
    },
    /// It was written by a later version.
    #[error(
        "the data directory {directory} has format {found}, this version reads up to {FORMAT}: \
         use a newer dcmp, or another directory with --data"
    )]
    Newer {
        /// The directory.
        directory: PathBuf,
        /// The format found, as it is written there.
        found: String,
    },
    /// The disk or its permissions refused something.
    #[error("the data directory {directory} cannot be used: {cause}")]
    Io {
        /// The directory.
        directory: PathBuf,
        /// What the operating system says.
        cause: io::Error,
    },
    /// The store in it cannot be read.
    #[error(
        "the store in {directory} cannot be opened: {cause}. Keep a copy of the directory before \
         anything else is tried"
    )]
    Store {
        /// The directory.
        directory: PathBuf,
        /// What the engine says.
        cause: String,
    },
}

/// The directory, locked for as long as this lives.
pub(crate) struct Directory {
    path: PathBuf,
    /// The key of presigned URLs.
    pub(crate) secret: [u8; 32],
    _lock: File,
}

impl Directory {
    /// Makes the directory where there is none, and locks it.
    pub(crate) fn open(path: &Path, clock: &SystemClock) -> Result<Self, OpenError> {
        let io = |cause| OpenError::Io { directory: path.to_owned(), cause };
        fs::create_dir_all(path).map_err(io)?;
        let lock = lock(path)?;
        check_format(path)?;
        let secret = secret(path, clock).map_err(io)?;
        Ok(Self { path: path.to_owned(), secret, _lock: lock })
    }

    /// A folder in the directory, made where there is none.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf, OpenError> {
        let folder = self.path.join(name);
        fs::create_dir_all(&folder).map_err(|cause| self.io(cause))?;
        Ok(folder)
    }

    /// An error of this directory.
    pub(crate) fn io(&self, cause: io::Error) -> OpenError {
        OpenError::Io { directory: self.path.clone(), cause }
    }

    /// An error of the store in this directory.
    pub(crate) fn store(&self, cause: impl std::fmt::Display) -> OpenError {
        OpenError::Store { directory: self.path.clone(), cause: cause.to_string() }
    }
}

fn lock(directory: &Path) -> Result<File, OpenError> {
    let io = |cause| OpenError::Io { directory: directory.to_owned(), cause };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(directory.join("lock")).map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(cause)) => return Err(io(cause)),
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let read = file.read_to_string(&mut pid);
            let known = read.is_ok() && !pid.trim().is_empty();
            let owner = match known {
                true => format!("process {}", pid.trim()),
                false => "another process".to_owned(),
            };
            return Err(OpenError::InUse { directory: directory.to_owned(), owner });
        }
    }
    file.set_len(0).map_err(io)?;
    writeln!(file, "{}", std::process::id()).map_err(io)?;
    Ok(file)
}

fn check_format(directory: &Path) -> Result<(), OpenError> {
    let io = |cause| OpenError::Io { directory: directory.to_owned(), cause };
    let path = directory.join("format");
    match fs::read_to_string(&path) {
        Ok(found) if found.trim().parse() == Ok(FORMAT) => Ok(()),
        Ok(found) => Err(OpenError::Newer {
            directory: directory.to_owned(),
            found: found.trim().chars().take(20).collect(),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            write_synced(&path, format!("{FORMAT}\n").as_bytes()).map_err(io)
        }
        Err(error) => Err(io(error)),
    }
}

fn secret(directory: &Path, clock: &SystemClock) -> io::Result<[u8; 32]> {
    let path = directory.join("secret");
    let mut secret = [0; 32];
    match fs::read(&path) {
        Ok(bytes) => {
            hex::decode_to_slice(bytes.trim_ascii(), &mut secret).map_err(|_| {
                io::Error::other("its file `secret` is not 64 hex digits: remove that file")
            })?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            clock.random(&mut secret);
            write_synced(&path, hex::encode(secret).as_bytes())?;
        }
        Err(error) => return Err(error),
    }
    Ok(secret)
}

/// Writes a small file that only its owner may read, wholly or not at all.
fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Puts the names in `folder` on disk, such as that of a file just renamed.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
