//! `dcmp model show`

use anyhow::Result;
use protocol::{rest::models::Model, tensor::Spec};

use crate::{client::Connection, output};

/// Shows a model: its file, inputs and outputs, labels
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp model show digits
  dcmp model show model_019aa5d3f0007cc3b5b0d5a3c2e1f004 --json")]
pub(super) struct Args {
    /// The model's id, or its name if no other has it
    model: String,
    /// The API's JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: Args) -> Result<()> {
    let client = args.connection.client()?;
    let id = client.model_id(&args.model).await?;
    let answer = client.get(&["models", &id]).await?;
    if args.json { output::print(&answer.text) } else { output::print(&text(&answer.read()?)) }
}

/// A model for people.
pub(super) fn text(shown: &Model) -> String {
    let model = &shown.summary;
    let mut rows = vec![
        ("id", model.id.clone()),
        ("name", model.name.clone()),
        ("version", model.version.to_string()),
        ("status", model.status.clone()),
        ("format", model.format.clone()),
        ("size", output::size(model.size)),
        ("checksum", model.checksum.clone()),
        ("uploaded", model.uploaded_at.clone()),
        ("placement", model.placement.clone()),
    ];
    rows.extend(model.inputs.iter().map(|spec| ("input", signature(spec))));
    rows.extend(model.outputs.iter().map(|spec| ("output", signature(spec))));
    let adapters = [
        ("preprocessing", model.preprocessing.as_ref()),
        ("postprocessing", model.postprocessing.as_ref()),
    ];
    rows.extend(adapters.into_iter().filter_map(|(name, used)| Some((name, used?.clone()))));
    if let Some(labels) = &shown.labels {
        rows.push(("labels", labels.join(", ")));
    }
    output::fields(&rows)
}

/// Such as `pixels: float32 [N, 64]`.
fn signature(spec: &Spec) -> String {
    format!("{}: {} {}", spec.name, spec.dtype, spec.shape_text())
}
