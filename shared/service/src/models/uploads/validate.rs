//! Looking at a complete file: its parts are joined, the whole is summed up, and then it is judged
//! like every other file.

use domain::model::Status;

use super::stored;
use crate::{
    App, Error, Result,
    models::{
        Version,
        judge::{judge, reject},
    },
    table,
    uploads::{self, Failed, MAX_TRIES, Row, given_up, take_turn, whole},
};

/// Looks at the complete file of a version. Does nothing when somebody is at it, or it was judged
/// before.
pub async fn validate(app: &App, id: &str, number: u32) -> Result<()> {
    let found = match stored::load(app, id, number).await {
        // deleted meanwhile
        Err(Error::NoModel(_)) => return Ok(()),
        found => found?,
    };
    let Some(row) = found.row.clone() else { return Ok(()) };
    let now = app.now_ms();
    match found.version.status {
        Status::Uploading => return Ok(()),
        Status::Validating if row.busy_until_ms > now => return Ok(()),
        Status::Validating => {}
        Status::Ready | Status::Rejected => return end(app, id, number).await,
    }
    if row.tries >= MAX_TRIES {
        reject(app, id, number, found.version.status, &given_up()).await?;
        return end(app, id, number).await;
    }
    let key = table::model_upload(id, number);
    match take_turn(app, key, row.clone(), look(app, id, &found.version, &row)).await? {
        true => end(app, id, number).await,
        false => Ok(()),
    }
}

/// The end of the upload of a version that is ready or rejected: only what is needed of it stays.
pub(super) async fn end(app: &App, id: &str, number: u32) -> Result<()> {
    loop {
        let found = match stored::load(app, id, number).await {
            // what is noted of its file is looked after by the timer
            Err(Error::NoModel(_)) => return Ok(()),
            found => found?,
        };
        let Some(row) = &found.row else { return Ok(()) };
        let blob = &found.version.blob;
        match found.version.status {
            Status::Uploading | Status::Validating => return Ok(()),
            Status::Rejected => uploads::remove_file(app, blob).await?,
            // of what was joined when somebody died, parts may be left
            Status::Ready => uploads::remove_parts(app, blob).await?,
        }
        if uploads::commit(app, row.end(table::model_upload(id, number))).await? {
            return Ok(());
        }
    }
}

/// Joins the file, sums it up, and judges it.
async fn look(app: &App, id: &str, version: &Version, row: &Row) -> Result<(), Failed> {
    let Version { number, blob, size, checksum, .. } = version;
    if let Some(reason) = whole(app, blob, *size, checksum, row).await? {
        reject(app, id, *number, Status::Validating, &reason).await?;
        return Ok(());
    }
    judge(app, id, *number).await.map_err(Failed::Looking)
}
