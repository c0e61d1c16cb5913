//! Two hundred small worlds in which everything goes wrong, and some in which nothing does.
#![allow(clippy::unwrap_used, reason = "tests")]

use dcmp_simulation::{Faults, Plan, run, run_all};

#[test]
fn where_nothing_goes_wrong_everything_completes() {
    let reports = run_all(0..6, |seed| Plan { faults: Faults::NONE, ..Plan::short(seed) });
    assert!(reports.broken.is_empty(), "{}", reports.broken[0]);
    for (seed, report) in reports.kept {
        let wanted: u64 = report.jobs.iter().map(|(_, count)| count).sum();
        assert_eq!(wanted, Plan::short(seed).tasks, "seed {seed}");
        let ended: Vec<_> = report.jobs.iter().map(|(state, _)| *state).collect();
        // some change their minds
        assert!(ended.iter().all(|state| matches!(*state, "completed" | "cancelled")), "{ended:?}");
    }
}

#[test]
fn the_promises_are_kept_whatever_goes_wrong() {
    let reports = run_all(0..200, Plan::short);
    let broken: Vec<String> = reports
        .broken
        .iter()
        .map(|failure| format!("seed {}: {failure}", failure.seed()))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert_eq!(reports.kept.len(), 200);
}

#[test]
fn a_seed_means_the_same_world() {
    assert_eq!(run(Plan::short(7)).unwrap(), run(Plan::short(7)).unwrap());
    assert_ne!(run(Plan::short(7)).unwrap(), run(Plan::short(8)).unwrap());
}
