//! Where results are written: standard output, or a file that is there when it is complete.

use std::{
    fs::Permissions,
    io::{BufWriter, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::Result;
use tempfile::NamedTempFile;

use crate::{exit::usage, output};

/// How much is written to standard output at once: by itself it would write every line.
const PIECE: usize = 64 * 1024;

pub(super) enum Destination {
    /// With what is not yet written.
    Stdout(Vec<u8>),
    File {
        file: BufWriter<NamedTempFile>,
        path: PathBuf,
    },
}

/// Whether a file can be written at `path`.
pub(super) fn check(path: &Path) -> Result<()> {
    let folder = folder(path);
    if folder.is_dir() {
        return Ok(());
    }
    Err(usage(format!("cannot write {}: there is no folder {}", path.display(), folder.display())))
}

fn folder(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or_else(|| Path::new("."))
}

impl Destination {
    pub(super) fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::Stdout(Vec::new())) };
        let mut builder = tempfile::Builder::new();
        // as `umask` makes a file that anybody may read
        let builder = builder.prefix(".dcmp-").permissions(Permissions::from_mode(0o666));
        let made = builder.tempfile_in(folder(path));
        let file = made.map_err(|cause| unwritable(path, &cause))?;
        Ok(Self::File { file: BufWriter::new(file), path: path.to_owned() })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Stdout(waiting) => {
                waiting.extend_from_slice(bytes);
                if waiting.len() < PIECE {
                    return Ok(());
                }
                output::bytes(&std::mem::take(waiting))
            }
            Self::File { file, path } => {
                file.write_all(bytes).map_err(|cause| unwritable(path, &cause))
            }
        }
    }

    /// Everything is written.
    pub(super) fn finish(self) -> Result<()> {
        match self {
            Self::Stdout(waiting) => {
                output::bytes(&waiting)?;
                output::flush()
            }
            Self::File { file, path } => {
                let file = file.into_inner().map_err(|cause| unwritable(&path, cause.error()))?;
                file.persist(&path).map_err(|cause| unwritable(&path, &cause.error))?;
                Ok(())
            }
        }
    }
}

fn unwritable(path: &Path, cause: &std::io::Error) -> anyhow::Error {
    usage(format!("cannot write {}: {cause}", path.display()))
}
