//! `dcmp dataset delete`

use anyhow::Result;

use crate::{client::Connection, output};

/// Deletes datasets; batches that still read them fail
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp dataset delete iris
  dcmp dataset delete dataset_019aa5d3f0007cc3b5b0d5a3c2e1f004 dataset_019aa5d40b107b82a2c31d0b2f5a9e77")]
pub(super) struct Args {
    /// Ids, or names if no other dataset has them
    #[arg(required = true)]
    datasets: Vec<String>,
    /// A JSON document with the ids that were deleted
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: Args) -> Result<()> {
    let client = args.connection.client()?;
    // all of them before the first is gone, so that a typo deletes nothing
    let mut ids = Vec::new();
    for reference in &args.datasets {
        let id = client.dataset_id(reference).await?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    for id in &ids {
        client.delete(&["datasets", id]).await?;
        output::say(format_args!("deleted {id}"));
    }
    if args.json {
        output::print(&serde_json::json!({ "deleted": ids }).to_string())?;
    }
    Ok(())
}
