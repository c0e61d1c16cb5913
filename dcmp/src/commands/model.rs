//! `dcmp model`: upload, list, show, download, delete.

mod delete;
mod download;
mod list;
mod show;
mod upload;

use anyhow::Result;
use clap::Subcommand;

use crate::exit::Exit;

/// Uploads models, and shows, downloads and deletes them
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp model upload digits.onnx --name digits
  dcmp model list
  dcmp model show digits
  dcmp model download digits -o copy.onnx
  dcmp model delete digits")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Upload(Box<upload::Args>),
    List(list::Args),
    Show(show::Args),
    Download(download::Args),
    Delete(delete::Args),
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    match args.command {
        Command::Upload(args) => upload::run(*args).await?,
        Command::List(args) => list::run(args).await?,
        Command::Show(args) => show::run(args).await?,
        Command::Download(args) => download::run(args).await?,
        Command::Delete(args) => delete::run(args).await?,
    }
    Ok(Exit::Done)
}
