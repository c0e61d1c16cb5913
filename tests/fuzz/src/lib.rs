//! What reads strangers' bytes, given bytes that mean harm: inputs that are nearly right, in a kept
//! property testing engine that makes a failing one small. No panic, and memory that is bounded by the
//! input's size.
//!
//! `cargo test` runs a few hundred inputs a target, always the same; `cargo xtask fuzz` runs for as
//! long as it is told to.

mod input;
mod run;
mod targets;

use peak_alloc::PeakAlloc;

pub use run::{Length, Report, run};
pub use targets::TARGETS;

/// Counts what is allocated in this process.
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// One reader of strangers' bytes.
pub struct Target {
    /// For the command line.
    pub name: &'static str,
    /// Inputs to begin with, right and wrong ones.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Pieces that inputs are made of.
    pub words: &'static [&'static str],
    /// Reads an input; panics when something does not hold.
    pub read: fn(&[u8]),
    /// The most bytes allocated at a time while it is read.
    pub memory: Memory,
    /// Inputs in a short run.
    pub cases: u32,
}

/// A bound on memory.
#[derive(Clone, Copy)]
pub struct Memory {
    /// Whatever the input is.
    pub base: usize,
    /// For each byte of it.
    pub per_byte: usize,
}

impl Memory {
    /// For an input of so many bytes.
    pub fn bound(self, input: usize) -> usize {
        self.base + self.per_byte * input
    }
}
