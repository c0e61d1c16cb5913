//! The program of the functions that need no engine.

use std::process::ExitCode;

use bootstrap::Bundle;

fn main() -> ExitCode {
    bootstrap::run(Bundle::Light, light_registry::routes(), None)
}
