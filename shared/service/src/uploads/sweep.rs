//! Looking after files on their way whose time has come.

use ports::{Key, Query};

use super::{Pending, Subject};
use crate::{App, Result, datasets, models, table};

/// How many are read at a time.
const PAGE: usize = 100;

/// Looks after every file that is due: completes what was interrupted, and removes what nobody wants.
pub async fn sweep(app: &App) -> Result<()> {
    let until = Some(table::pending(app.now_ms(), "").sort);
    let mut query = Query { until, ..Query::new(table::PENDING, "", PAGE) };
    loop {
        let page = app.ports.records.query(query.clone()).await?;
        for (sort, item) in page.items {
            let key = Key::new(table::PENDING, sort);
            let Some(pending) = table::readable::<Pending>(&key, &item) else { continue };
            if let Err(cause) = look_after(app, &pending).await {
                tracing::warn!(%cause, blob = pending.blob, "a file on its way was not looked after");
            }
        }
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(()),
        }
    }
}

async fn look_after(app: &App, pending: &Pending) -> Result<()> {
    match &pending.subject {
        Subject::Version { model, number } => {
            models::uploads::look_after(app, pending, model, *number).await
        }
        Subject::Dataset { dataset } => datasets::uploads::look_after(app, pending, dataset).await,
    }
}
