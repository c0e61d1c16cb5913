//! Where things are kept on this machine, and what `dcmp up` leaves there for the client.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// The platform's data directory unless `--data` or `DCMP_DATA` says otherwise.
pub(crate) fn default_data() -> PathBuf {
    use etcetera::{BaseStrategy, choose_base_strategy};
    // without a home directory, where we are
    choose_base_strategy().map_or_else(|_| PathBuf::from("."), |base| base.data_dir()).join("dcmp")
}

/// How a client on this machine reaches the platform; in the data directory, readable by its owner.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| {
                    format!("{} is damaged; remove it and run `dcmp up`", path.display())
                })
                .map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Leaves it for the client, wholly or not at all.
    pub(crate) fn write(&self, data: &Path) -> Result<()> {
        let path = data.join(Self::FILE);
        // a temporary file of this crate is readable by its owner only
        let mut file = tempfile::NamedTempFile::new_in(data)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        file.persist(&path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(())
    }
}
