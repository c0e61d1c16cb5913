//! `cargo xtask simulate`: the platform's functions in many worlds in which everything goes wrong.

use std::{ffi::OsString, process::Command};

use anyhow::{Context, bail};

/// Runs worlds in which everything goes wrong; see `cargo xtask simulate -- --help`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Such as `--seeds 1000 --from 200 --faults network,store`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let status = Command::new(env!("CARGO"))
        .args(["run", "--release", "--quiet", "--package", "dcmp-simulation", "--"])
        .args(&arguments.arguments)
        .status()
        .context("cargo cannot be run")?;
    if !status.success() {
        bail!("the run ended with {status}");
    }
    Ok(())
}
