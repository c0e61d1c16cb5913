//! `dcmp model show`

use anyhow::Result;
use protocol::{rest::models::Model, tensor::Spec};
use serde_json::Value;

use crate::{client::Connection, output};

/// Shows a model: its file, inputs and outputs, adapters, labels
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp model show digits
  dcmp model show digits@2
  dcmp model show model_019aa5d3f0007cc3b5b0d5a3c2e1f004 --json")]
pub(super) struct Args {
    /// The model's id, or its name if no other has it; with @2 in its second version
    model: String,
    /// The API's JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: Args) -> Result<()> {
    let client = args.connection.client()?;
    let model = client.model_reference(&args.model).await?;
    let answer = client.get(&["models", &model]).await?;
    if args.json { output::print(&answer.text) } else { output::print(&text(&answer.read()?)) }
}

/// A model for people.
pub(super) fn text(shown: &Model) -> String {
    let model = &shown.summary;
    let mut rows = vec![
        ("id", model.id.clone()),
        ("name", model.name.clone()),
        ("version", model.version.to_string()),
        ("revision", model.revision.to_string()),
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
    let schemas = [("input schema", &shown.input_schema), ("output schema", &shown.output_schema)];
    rows.extend(
        schemas.into_iter().filter_map(|(name, given)| Some((name, brief(given.as_ref()?)))),
    );
    rows.extend(shown.labels.as_ref().map(|labels| ("labels", names(labels))));
    rows.extend(model.reason.iter().map(|reason| ("rejected", reason.clone())));
    rows.extend(model.warnings.iter().map(|warning| ("warning", warning.clone())));
    output::fields(&rows)
}

/// What a schema is of, for a line.
fn brief(schema: &Value) -> String {
    let text = schema.to_string();
    match text.chars().count() {
        0..=80 => text,
        _ => format!("{}… ({} bytes)", text.chars().take(60).collect::<String>(), text.len()),
    }
}

/// The first labels, and how many there are.
fn names(labels: &[String]) -> String {
    if labels.len() <= 20 {
        return labels.join(", ");
    }
    format!("{}, … ({} in all)", labels[..10].join(", "), labels.len())
}

/// Such as `pixels: float32 [N, 64]`.
fn signature(spec: &Spec) -> String {
    format!("{}: {} {}", spec.name, spec.dtype, spec.shape_text())
}
