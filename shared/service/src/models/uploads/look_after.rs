//! Looking after the file of a version whose time has come.

use domain::model::Status;

use super::{complete, give_up, stored, validate};
use crate::{
    App, Error, Result, table, time,
    uploads::{Pending, UNHEARD_MS, commit, last_ms},
};

/// Looks after the file of a version that is due.
pub(crate) async fn look_after(
    app: &App,
    pending: &Pending,
    id: &str,
    number: Option<u32>,
) -> Result<()> {
    // what came in one request would have settled this if it had become a version
    let Some(number) = number else { return pending.discard(app).await };
    let found = match stored::load(app, id, number).await {
        Err(Error::NoModel(_)) => return pending.discard(app).await,
        found => found?,
    };
    let Some(row) = &found.row else { return pending.discard(app).await };
    let key = table::model_upload(id, number);
    match found.version.status {
        Status::Ready | Status::Rejected => validate::end(app, id, number).await,
        Status::Validating => {
            let (_, writes) = row.change(&key, app.now_ms() + UNHEARD_MS)?;
            if commit(app, writes).await? {
                complete::enqueue(app, id, number).await?;
            }
            Ok(())
        }
        Status::Uploading => {
            let last_ms = last_ms(app, row).await?;
            let due_ms = last_ms + app.settings().uploads.idle_ms;
            if due_ms > app.now_ms() {
                let (_, writes) = row.change(&key, due_ms)?;
                return commit(app, writes).await.map(drop);
            }
            let since = time::rfc3339(last_ms);
            let reason = format!("its upload was abandoned: nothing came since {since}");
            // if it was changed just now, the next round sees to it
            give_up::end(app, &found, &reason).await.map(drop)
        }
    }
}
