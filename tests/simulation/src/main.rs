//! The long run: `cargo xtask simulate`.
#![allow(clippy::print_stdout, reason = "printing is what this command is for")]

use std::{collections::BTreeMap, time::Instant};

use anyhow::{Result, bail};
use clap::Parser;
use dcmp_simulation::{Faults, Plan, run_all};

/// Runs the platform's functions in worlds in which everything goes wrong, and judges what is left
#[derive(Parser)]
struct Arguments {
    /// How many worlds
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// The seed of the first; the others follow
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Devices in each world
    #[arg(long, default_value_t = 200)]
    devices: u64,
    /// Requests in each world
    #[arg(long, default_value_t = 2_000)]
    tasks: u64,
    /// What goes wrong: all, none, or some of devices, network, functions, store, feed, queues
    #[arg(long, default_value_t = Faults::ALL)]
    faults: Faults,
}

fn main() -> Result<()> {
    let Arguments { seeds, from, devices, tasks, faults } = Arguments::parse();
    let began = Instant::now();
    let reports =
        run_all(from..from + seeds, |seed| Plan { devices, tasks, faults, ..Plan::short(seed) });
    let mut sums = BTreeMap::<&str, u64>::new();
    for (_, report) in &reports.kept {
        for (what, count) in report.jobs.iter().chain(&report.counts) {
            *sums.entry(*what).or_default() += count;
        }
    }
    let kept = reports.kept.len();
    println!("{kept} of {seeds} worlds kept every promise, in {:?}", began.elapsed());
    for (what, count) in sums {
        println!("{count:>12} {what}");
    }
    for failure in &reports.broken {
        println!("seed {}: {failure}", failure.seed());
    }
    if reports.broken.is_empty() {
        return Ok(());
    }
    bail!("{} worlds broke a promise", reports.broken.len())
}
