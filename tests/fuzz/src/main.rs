//! The long run: `cargo xtask fuzz`.
#![allow(clippy::print_stdout, reason = "printing is what this command is for")]

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use clap::Parser;
use dcmp_fuzz::{Length, TARGETS, run};

/// Gives what reads strangers' bytes inputs that mean harm
#[derive(Parser)]
struct Arguments {
    /// How long each target runs
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Only this target
    #[arg(long)]
    target: Option<String>,
    /// 64 hex digits that the inputs follow from; by chance if not given
    #[arg(long)]
    seed: Option<String>,
    /// Where failing inputs are kept
    #[arg(long, default_value = "target/fuzz")]
    kept: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut seed = [0; 32];
    match &arguments.seed {
        Some(digits) => {
            hex::decode_to_slice(digits, &mut seed).context("--seed takes 64 hex digits")?;
        }
        None => getrandom::fill(&mut seed).context("no randomness")?,
    }
    let wanted = |name: &str| arguments.target.as_deref().is_none_or(|target| target == name);
    let targets: Vec<_> = TARGETS.iter().filter(|target| wanted(target.name)).collect();
    if targets.is_empty() {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        bail!("there is no such target; there are {}", names.join(", "));
    }
    println!("seed {}", hex::encode(seed));
    println!("{:<12} {:>12} {:>8} {:>10}", "target", "executions", "per s", "peak kB");
    let length = Length::Long(Duration::from_secs(arguments.seconds), seed);
    let mut failures = Vec::new();
    for target in targets {
        match run(target, length, &arguments.kept) {
            Ok(report) => {
                let rate = report.executions as f64 / report.took.as_secs_f64();
                let peak = report.peak / 1000;
                println!("{:<12} {:>12} {rate:>8.0} {peak:>10}", target.name, report.executions);
            }
            Err(failure) => {
                println!("{:<12} {failure:#}", target.name);
                failures.push(target.name);
            }
        }
    }
    if failures.is_empty() { Ok(()) } else { bail!("failed: {}", failures.join(", ")) }
}
