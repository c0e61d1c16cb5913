//! Looking after the file of a dataset whose time has come.

use domain::model::Status;

use super::{
    super::{delete, stored},
    judge::end,
    parts::{enqueue, row},
};
use crate::{
    App, Error, Result, table,
    uploads::{Pending, UNHEARD_MS, commit, last_ms},
};

/// Looks after the file of a dataset that is due: what nobody completes is removed, and what nobody
/// looks at is put into the queue again.
pub(crate) async fn look_after(app: &App, pending: &Pending, id: &str) -> Result<()> {
    let record = match stored::load(app, id).await {
        // deleted, or never on record
        Err(Error::NotFound(_)) => return pending.discard(app).await,
        record => record?,
    };
    let Some(row) = row(app, id).await? else { return pending.discard(app).await };
    let key = table::dataset_upload(id);
    match record.status {
        Status::Ready | Status::Rejected => end(app, id).await,
        Status::Validating => {
            let (_, writes) = row.change(&key, app.now_ms() + UNHEARD_MS)?;
            if commit(app, writes).await? {
                enqueue(app, id).await?;
            }
            Ok(())
        }
        Status::Uploading => {
            let due_ms = last_ms(app, &row).await? + app.settings().uploads.idle_ms;
            if due_ms > app.now_ms() {
                let (_, writes) = row.change(&key, due_ms)?;
                return commit(app, writes).await.map(drop);
            }
            match delete::unchanged(app, &record).await? {
                true => pending.discard(app).await,
                // completed just now: the next round sees to it
                false => Ok(()),
            }
        }
    }
}
