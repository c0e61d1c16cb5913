//! `dcmp dataset show`

use anyhow::Result;
use protocol::rest::datasets::{Column, Dataset, Statistics};

use crate::{client::Connection, output};

/// How many columns and labels are shown to people.
const MOST: usize = 40;

/// Shows a dataset: its file, columns or arrays, their statistics, labels
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp dataset show iris
  dcmp dataset show dataset_019aa5d3f0007cc3b5b0d5a3c2e1f004 --json")]
pub(super) struct Args {
    /// The dataset's id, or its name if no other has it
    dataset: String,
    /// The API's JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: Args) -> Result<()> {
    let client = args.connection.client()?;
    let id = client.dataset_id(&args.dataset).await?;
    let answer = client.get(&["datasets", &id]).await?;
    if args.json { output::print(&answer.text) } else { output::print(&text(&answer.read()?)) }
}

/// A dataset for people.
pub(super) fn text(shown: &Dataset) -> String {
    let dataset = &shown.summary;
    let mut rows = vec![
        ("id", dataset.id.clone()),
        ("name", dataset.name.clone()),
        ("format", dataset.format.clone()),
        ("status", dataset.status.clone()),
        ("rows", output::or_dash(dataset.rows.map(|rows| rows.to_string()).as_deref())),
        ("size", output::size(dataset.bytes)),
        ("checksum", dataset.checksum.clone()),
        ("created", dataset.created_at.clone()),
        ("expires", dataset.expires_at.clone()),
    ];
    let columns = shown.schema.as_deref().unwrap_or_default();
    let none = Statistics::default();
    let statistics = |name: &str| {
        shown.statistics.as_ref().and_then(|statistics| statistics.get(name)).unwrap_or(&none)
    };
    let shown_columns = columns.iter().take(MOST);
    rows.extend(
        shown_columns.map(|column| ("column", described(column, statistics(&column.name)))),
    );
    if columns.len() > MOST {
        rows.push(("column", format!("… ({} in all)", columns.len())));
    }
    if let Some(labels) = &shown.labels {
        let counts =
            labels.iter().take(MOST).map(|label| format!("{} {}", label.label, label.count));
        let more = if labels.len() > MOST { ", …" } else { "" };
        rows.push(("labels", format!("{}{more}", counts.collect::<Vec<_>>().join(", "))));
    }
    rows.extend(dataset.error.iter().map(|why| ("rejected", why.clone())));
    output::fields(&rows)
}

/// Such as `age: int64, 18 to 90, mean 41.2, 3 missing`.
fn described(column: &Column, statistics: &Statistics) -> String {
    let Statistics { missing, min, max, mean, distinct, width, height, .. } = statistics;
    let mut text = format!("{}: {}", column.name, column.dtype);
    if !column.shape.is_empty() {
        text += &format!(" {:?}", column.shape);
    }
    if let (Some(min), Some(max), Some(mean)) = (min, max, mean) {
        text += &format!(", {min} to {max}, mean {mean:.4}");
    }
    if let (Some([narrow, wide]), Some([low, high])) = (width, height) {
        text += &format!(", {narrow} to {wide} × {low} to {high} pixels");
    }
    if let Some(distinct) = distinct {
        text += &format!(", {distinct} different");
    }
    if *missing > 0 {
        text += &format!(", {missing} missing");
    }
    text
}
