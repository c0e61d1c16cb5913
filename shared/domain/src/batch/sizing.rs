//! How many inputs a chunk has: as many as a device computes in a while, and as fit into a file.

/// How long a device should have a chunk, in milliseconds: long beside what a chunk costs the platform,
/// short beside a lease, so that little is done twice when a device goes away.
const TARGET_MS: f64 = 200.0;

/// The inputs of a chunk while nothing is known of the model's speed.
const UNKNOWN: u64 = 32;

/// The most inputs of a chunk.
pub(super) const MAX: u64 = 16_384;

/// The most bytes of a chunk's inputs, unless a single one has more.
const MAX_INPUT_BYTES: u64 = 2 << 20;

/// The same of its outputs.
const MAX_OUTPUT_BYTES: u64 = 8 << 20;

/// What is known of an input.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sizing {
    /// Its bytes.
    pub input_bytes: u64,
    /// The bytes of its outputs, if that is known before they are there.
    pub output_bytes: Option<u64>,
    /// What it usually takes to compute, in milliseconds.
    pub input_ms: Option<f64>,
}

impl Sizing {
    /// How many such inputs a chunk has, at least 1.
    pub fn inputs(&self) -> u32 {
        let by_time = match self.input_ms {
            // a float too large for the type becomes its largest value
            Some(ms) => (TARGET_MS / ms.max(1e-6)) as u64,
            None => UNKNOWN,
        };
        let by_input = MAX_INPUT_BYTES / self.input_bytes.max(1);
        let by_output = MAX_OUTPUT_BYTES / self.output_bytes.unwrap_or(1).max(1);
        by_time.min(by_input).min(by_output).clamp(1, MAX) as u32
    }
}
