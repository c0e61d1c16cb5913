//! `dcmp dataset`: upload, list, show, delete.

mod delete;
mod folder;
mod list;
mod show;
pub(super) mod upload;

use anyhow::Result;
use clap::Subcommand;

use crate::exit::Exit;

/// Uploads datasets, and shows and deletes them
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp dataset upload iris.csv
  dcmp dataset upload pets/ --name pets
  dcmp dataset list
  dcmp dataset show iris
  dcmp dataset delete iris")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Upload(upload::Args),
    List(list::Args),
    Show(show::Args),
    Delete(delete::Args),
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    match args.command {
        Command::Upload(args) => upload::run(args).await?,
        Command::List(args) => list::run(args).await?,
        Command::Show(args) => show::run(args).await?,
        Command::Delete(args) => delete::run(args).await?,
    }
    Ok(Exit::Done)
}
