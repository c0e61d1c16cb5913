//! Two hundred small worlds in which everything goes wrong, and some in which nothing does.
#![allow(clippy::unwrap_used, reason = "tests")]

use dcmp_simulation::{Faults, Plan, run};

#[test]
fn nothing_goes_wrong_where_nothing_does() {
    for seed in 0..4 {
        let plan = Plan { faults: Faults::NONE, ..Plan::short(seed) };
        let report = run(plan).unwrap_or_else(|failure| panic!("{failure}"));
        println!("{report:?}");
    }
}

#[test]
fn the_promises_are_kept() {
    for seed in 0..20 {
        let report =
            run(Plan::short(seed)).unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
        println!("{seed} {report:?}");
    }
}

#[test]
fn a_seed_means_the_same_world() {
    assert_eq!(run(Plan::short(7)).unwrap(), run(Plan::short(7)).unwrap());
}
