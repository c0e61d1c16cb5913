//! An upload under way as it is stored, `MODEL#id / U#n`, beside the row of its version.

use std::sync::Arc;

use domain::{
    model::{self, Status},
    upload::Plan,
};
use ports::{Condition, Uploaded, Write};
use serde::{Deserialize, Serialize};

use super::pending::Pending;
use crate::{
    App, Error, Result,
    models::{Head, Version, find},
    table, time,
};

/// How often an upload is read whose parts are gone.
const MAX_TRIES: u32 = 3;

/// An upload under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Row {
    /// The object store's id of the upload.
    pub(super) upload: String,
    pub(super) part_size: u64,
    pub(super) started_ms: u64,
    /// How often somebody began to look at the complete file and died, or could not look into it.
    pub(super) tries: u32,
    /// How often the file could not be got at.
    #[serde(default)]
    pub(super) failures: u32,
    /// Somebody is at it until then.
    pub(super) busy_until_ms: u64,
    /// Where the file is, and when it is looked after.
    pub(super) pending: Pending,
    /// Of the row: grows with every change.
    pub(super) version: u64,
}

/// An upload, the version that it is for, and the model's head, as they were read.
pub(super) struct Found {
    pub(super) head: Head,
    pub(super) version: Arc<Version>,
    /// None when the file did not come in parts, or has been judged.
    pub(super) row: Option<Row>,
}

/// The upload that a request means: of the version that it names, else of the newest.
pub(super) async fn of(app: &App, customer: &str, reference: &str) -> Result<Found> {
    let (id, number) = model::parse_reference(reference);
    let read = async {
        let head = find::read(app, customer, id).await?;
        let number = number.unwrap_or(head.last);
        found(app, head, number).await
    };
    read.await.map_err(Error::in_path)
}

/// The same, with the parts that are there while some may still come.
pub(super) async fn with_parts(
    app: &App,
    customer: &str,
    reference: &str,
) -> Result<(Found, Vec<Uploaded>)> {
    let mut tries = 0;
    loop {
        let found = of(app, customer, reference).await?;
        let row = found.row.as_ref().filter(|_| found.version.status == Status::Uploading);
        let Some(row) = row else { return Ok((found, Vec::new())) };
        tries += 1;
        match app.ports.blobs.uploaded_parts(&found.version.blob, &row.upload).await {
            // joined or given up since the row was read: it says which
            Err(ports::Error::NotFound(_)) if tries < MAX_TRIES => {}
            there => {
                let there = there?;
                return Ok((found, there));
            }
        }
    }
}

/// The upload of a version, whoever it belongs to.
///
/// # Errors
/// `NoModel` when the model was deleted.
pub(super) async fn load(app: &App, id: &str, number: u32) -> Result<Found> {
    let head = find::load(app, id).await?;
    found(app, head, number).await
}

async fn found(app: &App, head: Head, number: u32) -> Result<Found> {
    let version = find::version(app, &head, number).await?;
    let row = table::load(&*app.ports.records, &table::model_upload(&head.id, number)).await?;
    Ok(Found { head, version, row })
}

impl Row {
    /// Of the transaction that announces the version.
    pub(super) fn put(&self, id: &str, number: u32) -> Result<Write> {
        Ok(Write::put(table::model_upload(id, number), table::encode(self)?, Condition::Absent))
    }

    /// How the file is cut.
    pub(super) fn plan(&self, size: u64) -> Result<Plan> {
        Plan::new(size, Some(self.part_size)).map_err(Error::internal)
    }

    /// When it is given up, unless a part comes.
    pub(super) fn expires_at(&self) -> String {
        time::rfc3339(self.pending.due_ms)
    }
}

impl Found {
    /// The writes that change the upload's row, and have it looked after at `due_ms`; they fail when
    /// it was changed since it was read.
    pub(super) fn change(&self, row: &Row, due_ms: u64) -> Result<(Row, Vec<Write>)> {
        let (pending, [settled, noted]) = row.pending.postpone(due_ms)?;
        let changed = Row { pending, version: row.version + 1, ..row.clone() };
        let key = table::model_upload(&self.head.id, self.version.number);
        let put = Write::put(key, table::encode(&changed)?, Condition::Version(row.version));
        Ok((changed, vec![put, settled, noted]))
    }

    /// The writes that end the upload.
    pub(super) fn end(&self, row: &Row) -> Vec<Write> {
        let key = table::model_upload(&self.head.id, self.version.number);
        vec![Write::delete(key, Condition::Version(row.version)), row.pending.settle()]
    }
}

/// Commits writes to one upload; false, with nothing written, when it was changed meanwhile.
pub(super) async fn commit(app: &App, writes: Vec<Write>) -> Result<bool> {
    let written = table::unless_failed(app.ports.records.transact(writes).await)?;
    let Ok(token) = written else { return Ok(false) };
    app.ports.records.durable(token).await?;
    Ok(true)
}
