//! `dcmp jobs show`

use anyhow::Result;
use protocol::rest::batch::Batch;

use super::{is_batch, judge, single};
use crate::{client::Client, exit::Exit, output};

/// Prints a job of either kind, and says how the command ends.
pub(super) async fn show(client: &Client, id: &str, json: bool) -> Result<Exit> {
    let path = ["inference", id];
    if !is_batch(id) {
        return single::report(&client.get(&path).await?, json);
    }
    let answer = client.get(&path).await?;
    let batch: Batch = answer.read()?;
    output::print(&if json { answer.text } else { text(&batch) })?;
    Ok(judge(&batch))
}

/// A batch for people.
fn text(batch: &Batch) -> String {
    let progress = &batch.progress;
    let over = progress.completed + progress.failed;
    let mut rows = vec![("job", batch.job_id.clone()), ("status", batch.status.clone())];
    rows.extend(batch.name.iter().map(|name| ("name", name.clone())));
    rows.push(("model", format!("{}@{}", batch.model_id, batch.model_version)));
    rows.push(("project", batch.project_id.clone()));
    rows.push(("inputs", progress.total.to_string()));
    rows.push(("over", format!("{over} ({:.1} %)", progress.percent_complete)));
    rows.push(("failed", progress.failed.to_string()));
    rows.push(("created", batch.created_at.clone()));
    rows.extend(batch.completed_at.iter().map(|at| ("ended", at.clone())));
    output::fields(&rows)
}
