//! `cargo xtask bench …`: fixed workloads, printed tables, ratios within one run.

mod children;
mod inference;
mod load;
mod upload;

use anyhow::Result;

/// Measures, side by side in one run, and prints tables
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(clap::Subcommand)]
enum Subject {
    Inference(inference::Arguments),
    Upload(upload::Arguments),
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.subject {
        Subject::Inference(arguments) => inference::run(arguments),
        Subject::Upload(arguments) => upload::run(arguments),
    }
}
