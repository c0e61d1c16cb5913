//! `cargo xtask fuzz`: the long run over what reads strangers' bytes. It is a program of its own, which
//! counts memory and may die of an input.

use std::{ffi::OsString, process::Command};

use anyhow::{Context, bail};

/// Gives what reads strangers' bytes inputs that mean harm; see `cargo xtask fuzz -- --help`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Such as `--seconds 600 --target onnx`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let status = Command::new(env!("CARGO"))
        .args(["run", "--release", "--quiet", "--package", "dcmp-fuzz", "--"])
        .args(&arguments.arguments)
        .status()
        .context("cargo cannot be run")?;
    if !status.success() {
        bail!("the run ended with {status}; what it read last is in target/fuzz");
    }
    Ok(())
}
