//! `dcmp model`: upload, list, show, versions, update, download, delete.

mod delete;
mod download;
mod fields;
mod list;
mod show;
mod update;
mod upload;
mod versions;

use anyhow::Result;
use clap::Subcommand;

use crate::exit::Exit;

/// Uploads models, and shows, changes, downloads and deletes them
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp model upload digits.onnx --name digits
  dcmp model list
  dcmp model show digits
  dcmp model upload better.onnx --version-of digits
  dcmp model update digits --labels labels.txt
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
    Versions(versions::Args),
    Update(Box<update::Args>),
    Download(download::Args),
    Delete(delete::Args),
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    match args.command {
        Command::Upload(args) => upload::run(*args).await?,
        Command::List(args) => list::run(args).await?,
        Command::Show(args) => show::run(args).await?,
        Command::Versions(args) => versions::run(args).await?,
        Command::Update(args) => update::run(*args).await?,
        Command::Download(args) => download::run(args).await?,
        Command::Delete(args) => delete::run(args).await?,
    }
    Ok(Exit::Done)
}
