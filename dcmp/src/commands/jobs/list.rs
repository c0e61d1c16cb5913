//! `dcmp jobs list`

use anyhow::Result;
use protocol::rest::batch::Batch;

use crate::{
    client::Connection,
    exit::Exit,
    output::{self, Align},
};

/// Lists your batches, newest first; single inferences are found by their ids
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp jobs list
  dcmp jobs list --json | jq -r '.jobs[] | select(.status == \"running\") | .job_id'")]
pub(super) struct Args {
    /// The API's JSON, all pages as one
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: Args) -> Result<Exit> {
    let client = args.connection.client()?;
    let listing = client.list::<Batch>(&["inference", "batch"], "jobs", None).await?;
    if args.json {
        output::print(&listing.json()?)?;
        return Ok(Exit::Done);
    }
    let batches = listing.items()?;
    if batches.is_empty() {
        output::say("There are no batches yet; start one with `dcmp batch MODEL FILE`.");
    } else {
        output::print(&table(&batches))?;
    }
    Ok(Exit::Done)
}

fn table(batches: &[Batch]) -> String {
    let header = [
        ("id", Align::Left),
        ("name", Align::Left),
        ("status", Align::Left),
        ("inputs", Align::Right),
        ("over", Align::Right),
        ("failed", Align::Right),
        ("model", Align::Left),
        ("created", Align::Left),
    ];
    let row = |batch: &Batch| {
        let Batch { progress, .. } = batch;
        vec![
            batch.job_id.clone(),
            output::or_dash(batch.name.as_deref()),
            batch.status.clone(),
            progress.total.to_string(),
            format!("{:.0} %", progress.percent_complete),
            progress.failed.to_string(),
            format!("{}@{}", batch.model_id, batch.model_version),
            batch.created_at.clone(),
        ]
    };
    output::table(&header, &batches.iter().map(row).collect::<Vec<_>>())
}
