//! `cargo xtask bench …`: fixed workloads, printed tables, ratios within one run.

mod batch;
mod children;
mod fairness;
mod inference;
mod load;
mod parties;
mod rows;
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
    Batch(batch::Arguments),
    Fairness(fairness::Arguments),
    Inference(inference::Arguments),
    Upload(upload::Arguments),
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.subject {
        Subject::Batch(arguments) => batch::run(arguments),
        Subject::Fairness(arguments) => fairness::run(arguments),
        Subject::Inference(arguments) => inference::run(arguments),
        Subject::Upload(arguments) => upload::run(arguments),
    }
}
