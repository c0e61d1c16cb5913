//! `dcmp`: the whole platform on this machine, its devices, and its client, in one command.

mod home;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Distributed compute: upload a model, run it on contributed computers.
#[derive(Parser)]
#[command(name = "dcmp", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Up(up::Args),
}

fn main() -> ExitCode {
    let Command::Up(args) = Cli::parse().command;
    match up::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dcmp: {error:#}");
            ExitCode::FAILURE
        }
    }
}
