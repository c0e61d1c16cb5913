//! Many worlds, several at a time.

use std::{
    num::NonZero,
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use crate::{
    plan::{Failure, Plan, Report},
    world::run,
};

/// What came of many worlds.
#[derive(Debug, Default)]
pub struct Reports {
    /// Of those in which nothing was wrong, in the order of their seeds.
    pub kept: Vec<(u64, Report)>,
    /// Of the others, likewise.
    pub broken: Vec<Failure>,
}

/// Runs a world for each of these seeds, as many at a time as there are cores.
pub fn run_all(seeds: Range<u64>, plan: impl Fn(u64) -> Plan + Sync) -> Reports {
    let (next, reports) = (AtomicU64::new(seeds.start), Mutex::<Reports>::default());
    let lock = || reports.lock().unwrap_or_else(PoisonError::into_inner);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            match run(plan(seed)) {
                Ok(report) => lock().kept.push((seed, report)),
                Err(failure) => lock().broken.push(*failure),
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(work);
        }
    });
    let mut reports = reports.into_inner().unwrap_or_else(PoisonError::into_inner);
    reports.kept.sort_unstable_by_key(|(seed, _)| *seed);
    reports.broken.sort_unstable_by_key(Failure::seed);
    reports
}
