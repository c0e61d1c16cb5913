//! What of this workspace a command needs beside itself.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

/// The `dcmp` of this build; built first if it is not there.
pub(crate) fn dcmp() -> Result<PathBuf> {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release", "--quiet", "--package", "dcmp"])
        .status()
        .context("cannot run cargo")?;
    if !status.success() {
        bail!("dcmp does not build");
    }
    let mut path = std::env::current_exe()?;
    path.set_file_name("dcmp");
    Ok(path)
}
