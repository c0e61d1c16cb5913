//! Looking at a complete file: its parts are joined, the whole is summed up and read, and the dataset
//! is ready, or rejected for a reason.

use std::time::Duration;

use domain::model::Status;

use super::{
    super::{
        delete::remove_files,
        inspect::{Unread, inspect},
        stored::{self, Record, file_key},
    },
    parts::row,
};
use crate::{
    App, Error, Result, table,
    uploads::{self, Failed, MAX_TRIES, Row, given_up, take_turn, whole},
};

/// How often a file that could not be read yet is tried again before that counts as a failure.
const MAX_WAITS: u32 = 60;

/// Before the next of these tries.
const WAIT: Duration = Duration::from_secs(1);

/// Looks at the complete file of a dataset. Does nothing when somebody is at it, or it was judged
/// before.
pub async fn validate(app: &App, id: &str) -> Result<()> {
    let record = match stored::load(app, id).await {
        // deleted meanwhile
        Err(Error::NotFound(_)) => return Ok(()),
        record => record?,
    };
    let Some(row) = row(app, id).await? else { return Ok(()) };
    match record.status {
        Status::Uploading => return Ok(()),
        Status::Validating if row.busy_until_ms > app.now_ms() => return Ok(()),
        Status::Validating => {}
        Status::Ready | Status::Rejected => return end(app, id).await,
    }
    if row.tries >= MAX_TRIES {
        settle(app, id, Err(given_up())).await?;
        return end(app, id).await;
    }
    let key = table::dataset_upload(id);
    match take_turn(app, key, row.clone(), look(app, &record, &row)).await? {
        true => end(app, id).await,
        false => Ok(()),
    }
}

/// Joins the file, sums it up, reads it, and says what came of it.
async fn look(app: &App, record: &Record, row: &Row) -> Result<(), Failed> {
    let Record { id, size, checksum, format, .. } = record;
    if let Some(reason) = whole(app, &file_key(id), *size, checksum, row).await? {
        return Ok(settle(app, id, Err(reason)).await?);
    }
    let mut waits = 0;
    let read = loop {
        match inspect(app, id, *format).await {
            Err(Error::Internal(cause)) if cause.is::<Unread>() && waits < MAX_WAITS => {
                waits += 1;
                app.ports.clock.sleep(WAIT).await;
            }
            Err(refused @ Error::Invalid(_)) => break Err(refused.to_string()),
            read => break Ok(read.map_err(Failed::Looking)?),
        }
    };
    settle(app, id, read).await.map_err(Failed::Looking)
}

/// Says what came of a file: its rows, or why it is rejected. Does nothing for a dataset that was
/// judged before, or deleted.
async fn settle(app: &App, id: &str, read: Result<u64, String>) -> Result<()> {
    loop {
        let record = match stored::load(app, id).await {
            // and its files with it, before these were written
            Err(Error::NotFound(_)) => return remove_files(app, id).await,
            record => record?,
        };
        if record.status != Status::Validating {
            return Ok(());
        }
        let judged = match &read {
            Ok(rows) => Record { status: Status::Ready, rows: Some(*rows), ..record },
            Err(why) => Record { status: Status::Rejected, error: Some(why.clone()), ..record },
        };
        if uploads::commit(app, vec![judged.change()?]).await? {
            return Ok(());
        }
    }
}

/// The end of the upload of a dataset that is ready or rejected: only what is needed of it stays.
pub(super) async fn end(app: &App, id: &str) -> Result<()> {
    let record = match stored::load(app, id).await {
        // what is noted of its file is looked after by the timer
        Err(Error::NotFound(_)) => return Ok(()),
        record => record?,
    };
    let Some(row) = row(app, id).await? else { return Ok(()) };
    match record.status {
        Status::Uploading | Status::Validating => return Ok(()),
        Status::Rejected => remove_files(app, id).await?,
        // of what was joined when somebody died, parts may be left
        Status::Ready => uploads::remove_parts(app, &file_key(id)).await?,
    }
    // whoever changed it meanwhile ends it
    uploads::commit(app, row.end(table::dataset_upload(id))).await.map(drop)
}
