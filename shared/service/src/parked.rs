//! Work that waits for a device, oldest first, and devices that pull it.

use domain::{fleet::EVERYONE, job::Job, model::Placement};
use ports::{Condition, Query, Write};
use serde::{Deserialize, Serialize};

use crate::{App, Result, jobs, table};

/// How long this process believes that nothing waits in a scope.
const BELIEVED_MS: u64 = 1_000;

/// A job that waits.
#[derive(Serialize, Deserialize)]
struct Row {
    job: String,
}

/// Where a job waits: with its customer, or where everyone's devices look.
fn scope(job: &Job) -> &str {
    match job.wants.placement {
        Placement::Shared => EVERYONE,
        Placement::Own | Placement::Platform => &job.customer,
    }
}

/// Parks a job.
pub(crate) async fn put(app: &App, job: &Job) -> Result<()> {
    let scope = scope(job);
    let row = table::encode(&Row { job: job.id.clone() })?;
    let key = table::waiting_job(scope, job.created_us, &job.id);
    app.ports.records.write(Write::put(key, row, Condition::Always)).await?;
    app.caches().parked.insert(scope, app.now_ms(), true);
    Ok(())
}

/// The job waits no more.
pub(crate) async fn remove(app: &App, job: &Job) -> Result<()> {
    let key = table::waiting_job(scope(job), job.created_us, &job.id);
    app.ports.records.write(Write::delete(key, Condition::Always)).await?;
    Ok(())
}

/// A device of `customer` has room: finds work for it, at most `limit` jobs. What waits and cannot
/// run yet stays where it is.
pub async fn pull(app: &App, customer: &str, limit: usize) -> Result<()> {
    for scope in [customer, EVERYONE] {
        let now = app.now_ms();
        if app.caches().parked.get(scope, now, BELIEVED_MS) == Some(false) {
            continue;
        }
        let rows = app.ports.records.query(Query::new(table::waiting(scope), "", limit)).await?;
        app.caches().parked.insert(scope, now, !rows.items.is_empty());
        for (_, row) in rows.items {
            let Row { job } = table::decode(row)?;
            jobs::dispatch(app, &job).await?;
        }
    }
    Ok(())
}
