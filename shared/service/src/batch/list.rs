//! Batches as their owner sees them.

use domain::batch::Batch;
use ports::{Order, Token};
use protocol::rest::{batch as rest, inference::Failure};

use super::results;
use crate::{App, Result, table, time};

/// A batch with a page of its results so far.
pub async fn show(
    app: &App,
    customer: &str,
    id: &str,
    cursor: Option<&str>,
    limit: usize,
) -> Result<rest::Shown> {
    let batch = super::find(app, customer, id).await?;
    if batch.state.is_terminal() {
        // whoever was told of an end is not told of another after a crash
        app.ports.records.durable(Token::LATEST).await?;
    }
    let rest::Results { results, next_cursor } =
        results::of(app, &batch, cursor, limit, results::MAX_PAGE_BYTES).await?;
    Ok(rest::Shown { batch: summary(&batch), results, next_cursor })
}

/// The batches of a customer, the newest first.
pub async fn list(
    app: &App,
    customer: &str,
    cursor: Option<&str>,
    limit: usize,
) -> Result<rest::Batches> {
    let records = &*app.ports.records;
    let owner = table::owner(customer);
    let (rows, next_cursor) =
        table::page(records, owner, "BATCH#", cursor, limit, Order::Descending).await?;
    let ids = rows.iter().filter_map(|(sort, _)| sort.split_once('#'));
    let keys: Vec<_> = ids.map(|(_, id)| table::batch(id)).collect();
    let mut jobs = Vec::with_capacity(keys.len());
    for keys in keys.chunks(100) {
        let items = records.batch_get(keys).await?;
        let found = keys.iter().zip(items).filter_map(|(key, item)| table::readable(key, &item?));
        jobs.extend(found.map(|batch: Batch| summary(&batch)));
    }
    Ok(rest::Batches { jobs, next_cursor })
}

/// What is shown of a batch wherever it is shown.
fn summary(batch: &Batch) -> rest::Batch {
    let over = batch.completed + batch.failed;
    let percent = over as f64 * 100.0 / batch.total.max(1) as f64;
    let failure = batch.failure.as_ref();
    rest::Batch {
        job_id: batch.id.clone(),
        name: batch.name.clone(),
        project_id: batch.project.clone(),
        status: batch.state.name().to_owned(),
        model_id: batch.model.id.clone(),
        model_version: batch.model.version,
        progress: rest::Progress {
            completed: batch.completed,
            failed: batch.failed,
            total: batch.total,
            percent_complete: (percent * 100.0).floor() / 100.0,
        },
        error: failure.map(|f| Failure { code: f.code.clone(), message: f.message.clone() }),
        created_at: time::rfc3339(batch.created_us / 1000),
        completed_at: batch.ended_us.map(|us| time::rfc3339(us / 1000)),
    }
}
