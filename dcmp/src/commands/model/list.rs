//! `dcmp model list`

use anyhow::Result;
use protocol::{rest::models::Summary, tensor::Spec};

use crate::{
    client::Connection,
    output::{self, Align},
};

/// Lists your models, newest first
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp model list
  dcmp model list --json | jq -r '.models[].id'")]
pub(super) struct Args {
    /// The API's JSON, all pages as one
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: Args) -> Result<()> {
    let client = args.connection.client()?;
    let listing = client.list::<Summary>(&["models"], "models", None).await?;
    if args.json {
        return output::print(&listing.json()?);
    }
    let models = listing.items()?;
    if models.is_empty() {
        output::say("There are no models yet; upload one with `dcmp model upload FILE`.");
        return Ok(());
    }
    output::print(&table(&models))
}

fn table(models: &[Summary]) -> String {
    let header = [
        ("id", Align::Left),
        ("name", Align::Left),
        ("version", Align::Right),
        ("status", Align::Left),
        ("size", Align::Right),
        ("input", Align::Left),
        ("output", Align::Left),
        ("placement", Align::Left),
        ("uploaded", Align::Left),
    ];
    let row = |model: &Summary| {
        vec![
            model.id.clone(),
            model.name.clone(),
            model.version.to_string(),
            model.status.clone(),
            output::size(model.size),
            shapes(&model.inputs),
            shapes(&model.outputs),
            model.placement.clone(),
            model.uploaded_at.clone(),
        ]
    };
    output::table(&header, &models.iter().map(row).collect::<Vec<_>>())
}

/// Such as `[N, 64]`.
pub(super) fn shapes(specs: &[Spec]) -> String {
    specs.iter().map(Spec::shape_text).collect::<Vec<_>>().join(" ")
}
