//! The long run: `cargo xtask simulate`.
#![allow(clippy::print_stdout, reason = "printing is what this command is for")]

use std::{collections::BTreeMap, time::Instant};

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand};
use dcmp_simulation::{Faults, Plan, Scale, measure, run_all};

/// Runs the platform's functions in worlds in which everything goes wrong, and judges what is left
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    worlds: Worlds,
}

#[derive(Subcommand)]
enum Command {
    Scale(Large),
}

#[derive(Args)]
struct Worlds {
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
    /// Batches in each world, beside the requests
    #[arg(long, default_value_t = 20)]
    batches: u64,
    /// What goes wrong: all, none, or some of devices, network, functions, store, feed, queues
    #[arg(long, default_value_t = Faults::ALL)]
    faults: Faults,
}

/// Runs one large world in which nothing goes wrong, and measures what it asks of the store
#[derive(Args)]
struct Large {
    /// The world's seed
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Devices, each with one slot
    #[arg(long, default_value_t = 1_000)]
    devices: u64,
    /// Inputs, in batches of 10 000
    #[arg(long, default_value_t = 100_000)]
    inputs: u64,
    /// Milliseconds that a device computes an input
    #[arg(long, default_value_t = 1_000)]
    input_ms: u64,
}

fn main() -> Result<()> {
    let Arguments { command, worlds } = Arguments::parse();
    match command {
        None => simulate(&worlds),
        Some(Command::Scale(large)) => scale(&large),
    }
}

fn simulate(worlds: &Worlds) -> Result<()> {
    let Worlds { seeds, from, devices, tasks, batches, faults } = *worlds;
    let began = Instant::now();
    let plan = |seed| Plan { devices, tasks, batches, faults, ..Plan::short(seed) };
    let reports = run_all(from..from + seeds, plan);
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

/// What a partition of DynamoDB should take at most, in writes per second.
const HOTTEST: u64 = 800;

/// By how much of the ideal the makespan may be longer.
const LONGEST: f64 = 1.1;

fn scale(large: &Large) -> Result<()> {
    let Large { seed, devices, inputs, input_ms } = *large;
    let began = Instant::now();
    let measured = measure(Scale { seed, devices, inputs, input_ms })?;
    println!("{devices} devices, {inputs} inputs of {input_ms} ms, in {:?}", began.elapsed());
    let ratio = measured.makespan.as_secs_f64() / measured.ideal.as_secs_f64();
    let (makespan, ideal) = (measured.makespan, measured.ideal);
    println!("makespan           {makespan:.1?}, ideal {ideal:.1?}: {ratio:.3} (goal {LONGEST})");
    for (place, (partition, writes)) in measured.hottest.iter().enumerate() {
        let what = if place == 0 { "hottest keys" } else { "" };
        println!("{what:<18} {writes} writes/s of {partition} (goal {HOTTEST})");
    }
    let writes: u64 = measured.writes.values().sum();
    let per = |count: u64| writes as f64 / count.max(1) as f64;
    println!("writes             {writes}: {:.3} an input", per(inputs));
    let chunks = measured.chunks;
    println!("chunks             {chunks}: {:.2} writes each", per(chunks));
    for (kind, count) in &measured.writes {
        println!("{count:>12} {kind}");
    }
    Ok(())
}
