//! What worlds found once, by the faults that brought it about. Each was repaired where a test of the
//! function itself shows it too.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::ops::Range;

use dcmp_simulation::{Plan, Scale, measure, run_all};

/// Worlds in which only this goes wrong.
fn keep(faults: &str, seeds: Range<u64>) {
    let faults = faults.parse().unwrap();
    let reports = run_all(seeds, |seed| Plan { faults, ..Plan::short(seed) });
    assert!(reports.broken.is_empty(), "{}", reports.broken[0]);
}

/// A batch of the feed that listed a job as open came again together with the job's end, and nobody took
/// it off the list: see `a_job_that_is_over_does_not_stay_on_the_list_of_open_ones`.
#[test]
fn jobs_that_are_over_leave_the_list_of_open_ones_however_the_feed_comes() {
    keep("feed", 0..4);
}

/// A call was killed that alone had the job's input; its request came again, was told that the job was
/// accepted, and the job failed with the device: see
/// `a_request_that_comes_again_brings_the_input_of_a_call_that_died`.
#[test]
fn an_input_is_kept_when_the_request_of_a_killed_call_comes_again() {
    keep("devices,functions", 0..12);
}

/// A device that had nothing but pieces of batches in hand said that it was idle, and nothing was written
/// of it: pieces that took longer than a lease were taken from it, until they had no attempts left. See
/// `pieces_of_batches_renew_the_lease`.
#[test]
fn pieces_that_take_longer_than_a_lease_stay_with_their_device() {
    let slow = Scale { seed: 0, devices: 20, inputs: 300, input_ms: 1_000 };
    measure(slow).unwrap();
}
