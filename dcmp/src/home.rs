//! Where things are kept on this machine, and what `dcmp up` leaves there for the client.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::output;

/// Where the commands keep what a user told them.
pub(crate) fn config() -> PathBuf {
    use etcetera::{BaseStrategy, choose_base_strategy};
    choose_base_strategy()
        .map_or_else(|_| PathBuf::from("."), |base| base.config_dir())
        .join("dcmp")
}

/// The platform's data directory unless `--data` or `DCMP_DATA` says otherwise.
pub(crate) fn default_data() -> PathBuf {
    use etcetera::{BaseStrategy, choose_base_strategy};
    // without a home directory, where we are
    choose_base_strategy().map_or_else(|_| PathBuf::from("."), |base| base.data_dir()).join("dcmp")
}

/// How a client on this machine reaches the platform; in the data directory, readable by its owner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Access {
    /// `http://host:port`
    pub(crate) url: String,
    /// The first customer's key.
    pub(crate) api_key: String,
    /// The operator's key.
    pub(crate) admin_key: String,
}

impl Access {
    const FILE: &str = "client.json";

    /// What the last `dcmp up` on this data directory left.
    pub(crate) fn read(data: &Path) -> Result<Option<Self>> {
        let path = data.join(Self::FILE);
        let parsed = Self::parse(&path)?.transpose();
        parsed.with_context(|| format!("{} is damaged; `dcmp up` makes it anew", path.display()))
    }

    /// As [`Self::read`], for who makes it anew: a damaged one is as if it were not there.
    pub(crate) fn read_whole(data: &Path) -> Result<Option<Self>> {
        let path = data.join(Self::FILE);
        Ok(match Self::parse(&path)? {
            Some(Err(cause)) => {
                output::say(format_args!(
                    "dcmp: {} is damaged ({cause}); it is made anew, with new keys unless they are given",
                    path.display()
                ));
                None
            }
            parsed => parsed.and_then(Result::ok),
        })
    }

    fn parse(path: &Path) -> Result<Option<serde_json::Result<Self>>> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Leaves it for the client.
    pub(crate) fn write(&self, data: &Path) -> Result<()> {
        write_private(&data.join(Self::FILE), self)
    }
}

/// Writes a document that only its owner can read, wholly or not at all, whatever happens to this
/// machine. Its folder is there already.
pub(crate) fn write_private(path: &Path, document: &impl Serialize) -> Result<()> {
    let write = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        // a temporary file of this crate is readable by its owner only
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, document)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        // the name is on disk only with its directory
        File::open(folder)?.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_stops_clients_and_not_the_platform() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(Access::read(data.path()).unwrap(), None);
        assert_eq!(Access::read_whole(data.path()).unwrap(), None);
        for damaged in ["", "{\"url\": \"http://127"] {
            std::fs::write(data.path().join(Access::FILE), damaged).unwrap();
            let error = Access::read(data.path()).unwrap_err().to_string();
            assert!(error.contains("client.json is damaged; `dcmp up` makes it anew"), "{error}");
            assert_eq!(Access::read_whole(data.path()).unwrap(), None);
        }
        let access = Access { url: "u".into(), api_key: "k".into(), admin_key: "a".into() };
        access.write(data.path()).unwrap();
        assert_eq!(Access::read(data.path()).unwrap(), Some(access.clone()));
        assert_eq!(Access::read_whole(data.path()).unwrap(), Some(access));
    }
}
