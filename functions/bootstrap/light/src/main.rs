//! The program of the functions that need no engine.

use std::process::ExitCode;

fn main() -> ExitCode {
    bootstrap::run(&light_registry::routes(), None)
}
