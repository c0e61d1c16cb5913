//! The program of the functions that run models, or what goes with them: with tract, decoders and
//! tokenizers.

use std::{process::ExitCode, sync::Arc};

fn main() -> ExitCode {
    bootstrap::run(&compute_registry::routes(), Some(own_device))
}

/// The deployment's own device: as many runs at once as this process has cores.
fn own_device() -> Arc<dyn bootstrap::Engine> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Arc::new(compute::OwnDevice::new(cores, memory()))
}

/// What models may take, in bytes: of the function's memory, all but what the program itself needs.
fn memory() -> u64 {
    const PROGRAM: u64 = 128 << 20;
    let mb = std::env::var("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").ok();
    let bytes = mb.and_then(|mb| mb.parse::<u64>().ok()).unwrap_or(1024) << 20;
    bytes.saturating_sub(PROGRAM)
}
