//! `dcmp dataset list`

use anyhow::Result;
use protocol::rest::datasets::Summary;

use crate::{
    client::Connection,
    output::{self, Align},
};

/// Lists your datasets, newest first
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp dataset list
  dcmp dataset list --json | jq -r '.datasets[].id'")]
pub(super) struct Args {
    /// The API's JSON, all pages as one
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: Args) -> Result<()> {
    let client = args.connection.client()?;
    let listing = client.list::<Summary>(&["datasets"], "datasets", None).await?;
    if args.json {
        return output::print(&listing.json()?);
    }
    let datasets = listing.items()?;
    if datasets.is_empty() {
        output::say("There are no datasets yet; upload one with `dcmp dataset upload FILE`.");
        return Ok(());
    }
    output::print(&table(&datasets))
}

fn table(datasets: &[Summary]) -> String {
    let header = [
        ("id", Align::Left),
        ("name", Align::Left),
        ("format", Align::Left),
        ("status", Align::Left),
        ("rows", Align::Right),
        ("size", Align::Right),
        ("expires", Align::Left),
    ];
    let row = |dataset: &Summary| {
        vec![
            dataset.id.clone(),
            dataset.name.clone(),
            dataset.format.clone(),
            dataset.status.clone(),
            output::or_dash(dataset.rows.map(|rows| rows.to_string()).as_deref()),
            output::size(dataset.bytes),
            dataset.expires_at.clone(),
        ]
    };
    output::table(&header, &datasets.iter().map(row).collect::<Vec<_>>())
}
