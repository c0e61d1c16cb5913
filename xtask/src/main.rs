//! What developers of dcmp run; `cargo xtask --help` lists it. One file per command.
#![allow(clippy::print_stdout, reason = "printing is what these commands are for")]

mod crash;

use clap::Parser;

#[derive(Parser)]
#[command(about = "What developers of dcmp run")]
enum Command {
    Crash(crash::Arguments),
    #[command(hide = true)]
    CrashChild(crash::child::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Crash(arguments) => crash::run(&arguments),
        Command::CrashChild(arguments) => crash::child::run(&arguments),
    }
}
