//! `dcmp model versions`

use anyhow::Result;
use protocol::rest::models::Version;

use super::list::shapes;
use crate::{
    client::Connection,
    output::{self, Align},
};

/// Lists a model's versions, newest first
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp model versions digits
  dcmp model versions digits --json | jq -r '.versions[].checksum'")]
pub(super) struct Args {
    /// The model's id, or its name if no other has it
    model: String,
    /// The API's JSON, all pages as one
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: Args) -> Result<()> {
    let client = args.connection.client()?;
    let id = client.model_id(&args.model).await?;
    let path = ["models", &id, "versions"];
    let listing = client.list::<Version>(&path, "versions", None).await?;
    if args.json {
        return output::print(&listing.json()?);
    }
    let versions = listing.items()?;
    output::print(&table(&versions))?;
    for Version { version, reason, .. } in &versions {
        if let Some(reason) = reason {
            output::say(format_args!("Version {version} was rejected: {reason}"));
        }
    }
    Ok(())
}

fn table(versions: &[Version]) -> String {
    let header = [
        ("version", Align::Right),
        ("status", Align::Left),
        ("size", Align::Right),
        ("input", Align::Left),
        ("output", Align::Left),
        ("checksum", Align::Left),
        ("uploaded", Align::Left),
    ];
    let row = |one: &Version| {
        vec![
            one.version.to_string(),
            one.status.clone(),
            output::size(one.size),
            shapes(&one.inputs),
            shapes(&one.outputs),
            // as much as tells two files apart
            one.checksum.chars().take("sha256:".len() + 12).collect(),
            one.uploaded_at.clone(),
        ]
    };
    output::table(&header, &versions.iter().map(row).collect::<Vec<_>>())
}
