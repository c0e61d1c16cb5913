//! Announcing a file that is to come in parts.

use domain::upload::Plan;
use protocol::rest::datasets as rest;

use super::super::{
    About,
    stored::{Record, file_key},
};
use crate::{
    App, Error, Result,
    idempotency::Commit,
    table,
    uploads::{self, Row, Subject, parts, read_checksum},
};

/// A file that is to come in parts, as it was announced.
pub struct New {
    record: Record,
    plan: Plan,
}

impl New {
    /// Reads an announcement.
    ///
    /// # Errors
    /// `Invalid` with the field that is wrong or breaks a limit, before anything is sent.
    pub fn read(app: &App, customer: &str, body: rest::NewDataset) -> Result<Self> {
        let plan = parts::plan(body.size, body.part_size, body.parts.as_deref())?;
        let checksum = read_checksum("checksum", &body.checksum)?;
        let about = About {
            file_name: body.file_name,
            name: body.name,
            format: body.format,
            ttl_days: body.ttl_days,
        };
        Ok(Self { record: about.record(app, customer, checksum, body.size, &[])?, plan })
    }
}

/// Puts the dataset on record whose file is to come. Its parts' URLs come from [`sign`](super::sign).
pub async fn begin(app: &App, new: New, commit: Commit) -> Result<rest::Begun> {
    let New { record, plan } = new;
    let (subject, blob) = (Subject::dataset(&record.id), file_key(&record.id));
    let pending = uploads::note(app, subject, blob, app.settings().uploads.idle_ms).await?;
    let announced = async {
        let row = Row::start(app, &pending, &plan).await?;
        let mut writes = record.create()?;
        // the note stays as it is, on the condition that nobody removes what it is of
        let (row_pending, write) = pending.announce(pending.subject.clone())?;
        let row = Row { pending: row_pending, ..row };
        writes.extend([row.put(table::dataset_upload(&record.id))?, write]);
        let begun = rest::Begun {
            id: record.id.clone(),
            status: record.status.name().to_owned(),
            upload: row.shown(&plan),
        };
        commit.write(app, writes, &begun).await?;
        Ok(begun)
    };
    let announced = announced.await;
    // after an error of ours it may be on record all the same: the timer looks after it
    if announced.as_ref().is_err_and(|error| !matches!(error, Error::Internal(_)))
        && let Err(cause) = pending.discard(app).await
    {
        tracing::warn!(%cause, blob = pending.blob, "what an upload began with was not removed");
    }
    announced
}
