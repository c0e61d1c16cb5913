//! The simulation can fail: what the promises rest on is switched off, and each time it is seen.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use dcmp_simulation::{Plan, Sabotage, run_all};

/// How many worlds may pass before one is broken.
const SEEDS: u64 = 8;

/// One of these is said of a world in which that was switched off.
fn is_seen(sabotage: Sabotage, expected: &[&str]) {
    let reports = run_all(0..SEEDS, |seed| Plan { sabotage: Some(sabotage), ..Plan::short(seed) });
    for failure in &reports.broken {
        println!("{sabotage:?}, seed {}: {failure}", failure.seed());
    }
    let says = |said: &&str| reports.broken.iter().any(|failure| failure.violation.contains(said));
    let seen = expected.iter().any(says);
    assert!(seen, "{sabotage:?} was switched off, and nobody saw it in {SEEDS} worlds");
    // whoever reads it can run it again
    let line = reports.broken[0].to_string();
    assert!(line.contains(&format!("--from {} --seeds 1", reports.broken[0].seed())), "{line}");
}

#[test]
fn without_the_fence_replaced_attempts_count() {
    is_seen(Sabotage::Fence, &["an attempt that was not live", "was changed afterwards"]);
}

#[test]
fn without_idempotency_what_ended_goes_on() {
    is_seen(Sabotage::Idempotency, &["was changed afterwards"]);
}

#[test]
fn without_the_sweep_some_jobs_never_end() {
    is_seen(Sabotage::Sweep, &["never ended", "customers still wait", "had attempts left"]);
}
