//! Looking after files on their way whose time has come.

use domain::model::Status;
use ports::{Key, Query};

use super::{complete, give_up, pending::Pending, stored, validate};
use crate::{App, Error, Result, table, time};

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
    // what came in one request would have settled this if it had become a version
    let Some(number) = pending.number else { return pending.discard(app).await };
    let id = &pending.model;
    let found = match stored::load(app, id, number).await {
        Err(Error::NoModel(_)) => return pending.discard(app).await,
        found => found?,
    };
    let Some(row) = &found.row else { return pending.discard(app).await };
    match found.version.status {
        Status::Ready | Status::Rejected => validate::end(app, id, number).await,
        Status::Validating => {
            let (_, writes) = found.change(row, app.now_ms() + complete::UNHEARD_MS)?;
            if stored::commit(app, writes).await? {
                complete::enqueue(app, id, number).await?;
            }
            Ok(())
        }
        Status::Uploading => {
            let parts = match app.ports.blobs.uploaded_parts(&pending.blob, &row.upload).await {
                Err(ports::Error::NotFound(_)) => Vec::new(),
                parts => parts?,
            };
            let last_ms = parts.iter().map(|part| part.uploaded_ms).fold(row.started_ms, u64::max);
            let due_ms = last_ms + app.settings().uploads.idle_ms;
            if due_ms > app.now_ms() {
                let (_, writes) = found.change(row, due_ms)?;
                return stored::commit(app, writes).await.map(drop);
            }
            let since = time::rfc3339(last_ms);
            let reason = format!("its upload was abandoned: nothing came since {since}");
            // if it was changed just now, the next round sees to it
            give_up::end(app, &found, &reason).await.map(drop)
        }
    }
}
