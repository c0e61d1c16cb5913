//! What a world is made of, and what came of it.

use std::{fmt, time::Duration};

use crate::faults::{Faults, Sabotage};

/// What a world is made of.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// What everything by chance follows from.
    pub seed: u64,
    /// How many devices there are.
    pub devices: u64,
    /// How many requests customers make.
    pub tasks: u64,
    /// And how many batches beside them.
    pub batches: u64,
    /// What goes wrong.
    pub faults: Faults,
    /// What is switched off, to see that it is noticed.
    pub sabotage: Option<Sabotage>,
}

/// Devices, requests and batches of a world of the usual test run.
const SHORT: (u64, u64, u64) = (24, 120, 4);

impl Plan {
    /// A small world in which everything goes wrong.
    pub fn short(seed: u64) -> Self {
        let (devices, tasks, batches) = SHORT;
        Self { seed, devices, tasks, batches, faults: Faults::ALL, sabotage: None }
    }
}

/// What came of a world in which nothing was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How the functions were deployed.
    pub shape: &'static str,
    /// How long it took, by its own time.
    pub lasted: Duration,
    /// Jobs by how they ended.
    pub jobs: Vec<(&'static str, u64)>,
    /// What else was counted.
    pub counts: Vec<(&'static str, u64)>,
}

/// What was wrong with a world, and how it is seen again.
#[derive(Debug)]
pub struct Failure {
    pub(crate) plan: Plan,
    /// What must not be.
    pub violation: String,
}

impl Failure {
    /// Of its world.
    pub fn seed(&self) -> u64 {
        self.plan.seed
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Plan { seed, devices, tasks, batches, faults, .. } = self.plan;
        writeln!(f, "{}", self.violation)?;
        write!(
            f,
            "again: cargo xtask simulate --from {seed} --seeds 1 --devices {devices} --tasks {tasks} --batches {batches} --faults {faults}"
        )
    }
}

impl std::error::Error for Failure {}
