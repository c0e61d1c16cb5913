//! The parts of an upload under way: where they are sent to, which are there, and that all are.

use std::time::Duration;

use domain::{model::Status, upload};
use ports::Uploaded;
use protocol::rest::{datasets as rest, uploads::PartWanted, uploads::SignedParts};

use super::super::{
    show::summary,
    stored::{self, Record},
};
use crate::{
    App, Error, Result, UPLOADS_QUEUE, table,
    uploads::{Row, UNHEARD_MS, commit, parts},
};

/// How often an upload is read whose parts are gone.
const MAX_TRIES: u32 = 3;

/// URLs for parts of an upload, each for exactly the bytes of its checksum. `base` is where the
/// caller reached the platform.
///
/// # Errors
/// `Conflict` when the file is complete already.
pub async fn sign(
    app: &App,
    customer: &str,
    id: &str,
    wanted: &[PartWanted],
    base: &str,
) -> Result<SignedParts> {
    let record = stored::read(app, customer, id).await?;
    match row(app, id).await? {
        Some(row) if record.status == Status::Uploading => {
            parts::sign(app, record.size, &row, wanted, base)
        }
        _ => Err(Error::Conflict(format!(
            "the dataset `{id}` is {} and takes no parts any more",
            record.status.name()
        ))),
    }
}

/// How far an upload is.
///
/// # Errors
/// `NotFound` when none is under way.
pub async fn progress(app: &App, customer: &str, id: &str) -> Result<rest::Progress> {
    let (record, row, there) = with_parts(app, customer, id).await?;
    let row = row.ok_or_else(|| {
        let status = record.status.name();
        Error::NotFound(format!(
            "nothing is being uploaded to the dataset `{id}`, which is {status}"
        ))
    })?;
    let plan = row.plan(record.size)?;
    let missing = match record.status {
        Status::Uploading => parts::missing(&plan, &there),
        _ => Vec::new(),
    };
    Ok(rest::Progress {
        id: record.id,
        status: record.status.name().to_owned(),
        size: record.size,
        checksum: record.checksum,
        part_size: plan.part_size(),
        part_count: plan.parts(),
        uploaded: parts::shown(&there),
        missing,
        expires_at: row.expires_at(),
    })
}

/// Ends an upload: its file is read from now on, apart from this request. Repeating it changes nothing.
///
/// # Errors
/// `Conflict` with the numbers of the parts that are missing.
pub async fn complete(app: &App, customer: &str, id: &str) -> Result<rest::Summary> {
    loop {
        let (record, row, there) = with_parts(app, customer, id).await?;
        let Some(row) = row.filter(|_| record.status == Status::Uploading) else {
            return Ok(summary(&record));
        };
        let plan = row.plan(record.size)?;
        let missing = parts::missing(&plan, &there);
        if !missing.is_empty() {
            return Err(Error::Conflict(format!(
                "of {} parts these are missing: {}; send them, then complete the upload again",
                plan.parts(),
                upload::list(&missing)
            )));
        }
        let record = Record { status: Status::Validating, ..record };
        let (_, mut writes) = row.change(&table::dataset_upload(id), app.now_ms() + UNHEARD_MS)?;
        writes.push(record.change()?);
        if commit(app, writes).await? {
            enqueue(app, id).await?;
            return Ok(summary(&record));
        }
    }
}

/// Has somebody look at a complete file.
pub(super) async fn enqueue(app: &App, id: &str) -> Result<()> {
    let message = serde_json::json!({ "dataset": id });
    Ok(app.ports.queues.send(UPLOADS_QUEUE, &message, Duration::ZERO).await?)
}

/// The upload of a dataset; `None` when its file did not come in parts, or has been judged.
pub(super) async fn row(app: &App, id: &str) -> Result<Option<Row>> {
    table::load(&*app.ports.records, &table::dataset_upload(id)).await
}

/// A dataset, its upload, and the parts that are there while some may still come.
async fn with_parts(
    app: &App,
    customer: &str,
    id: &str,
) -> Result<(Record, Option<Row>, Vec<Uploaded>)> {
    let mut tries = 0;
    loop {
        let record = stored::read(app, customer, id).await?;
        let row = row(app, id).await?;
        let Some(uploading) = row.as_ref().filter(|_| record.status == Status::Uploading) else {
            return Ok((record, row, Vec::new()));
        };
        tries += 1;
        let blob = &uploading.pending.blob;
        match app.ports.blobs.uploaded_parts(blob, &uploading.upload).await {
            // joined or given up since the row was read: it says which
            Err(ports::Error::NotFound(_)) if tries < MAX_TRIES => {}
            there => {
                let there = there?;
                return Ok((record, row, there));
            }
        }
    }
}
