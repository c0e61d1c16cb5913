//! The agent's directory: its identity, its models, and a lock against a second agent.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// A data directory that this agent has for itself.
pub(crate) struct Home {
    /// Kept and shown to the platform, such as `sdk-rust-c5d145e2ab91`.
    pub uuid: String,
    /// Where models go.
    pub models: PathBuf,
    _lock: File,
}

impl Home {
    /// Opens the directory, making what is missing.
    pub(crate) fn open(dir: &Path) -> Result<Self, String> {
        let failed = |what: &str| {
            let place = dir.display().to_string();
            let what = what.to_owned();
            move |error: io::Error| {
                format!("cannot {what} in {place}: {error}; give another data directory")
            }
        };
        let models = dir.join("models");
        fs::create_dir_all(&models).map_err(failed("make directories"))?;
        let lock = private(&dir.join("lock")).map_err(failed("make the lock file"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(format!(
                    "another device runs from {}; give this one its own data directory",
                    dir.display()
                ));
            }
            Err(TryLockError::Error(error)) => return Err(failed("lock")(error)),
        }
        let uuid = identity(&dir.join("uuid")).map_err(failed("keep the identity"))?;
        Ok(Self { uuid, models, _lock: lock })
    }
}

/// Reads the identity, or makes one the first time.
fn identity(path: &Path) -> io::Result<String> {
    let mut file = private(path)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let known = text.trim();
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if (1..=64).contains(&known.len()) && known.chars().all(valid) {
        return Ok(known.to_owned());
    }
    let mut random = [0; 6];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let uuid = format!("sdk-rust-{}", hex::encode(random));
    file.set_len(0)?;
    io::Seek::rewind(&mut file)?;
    file.write_all(uuid.as_bytes())?;
    file.sync_all()?;
    Ok(uuid)
}

/// A file that only its owner reads.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_identity_is_kept_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let first = Home::open(dir.path()).unwrap().uuid;
        assert!(first.starts_with("sdk-rust-") && first.len() == 21, "{first}");
        assert_eq!(Home::open(dir.path()).unwrap().uuid, first);
        #[cfg(unix)]
        {
            let mode = |name| {
                let metadata = fs::metadata(dir.path().join(name)).unwrap();
                std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777
            };
            assert_eq!(mode("uuid"), 0o600);
        }
        fs::write(dir.path().join("uuid"), "not/valid\n").unwrap();
        assert_ne!(Home::open(dir.path()).unwrap().uuid, first);
    }

    #[test]
    fn two_agents_do_not_share_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        let first = Home::open(dir.path()).unwrap();
        let error = Home::open(dir.path()).map(|home| home.uuid).unwrap_err();
        assert!(error.contains("another device runs from"), "{error}");
        drop(first);
        Home::open(dir.path()).unwrap();
    }
}
