//! An upload under way as it is stored, `MODEL#id / U#n`, beside the row of its version.

use std::sync::Arc;

use domain::model::{self, Status};
use ports::Uploaded;

use crate::{
    App, Error, Result,
    models::{Head, Version, find},
    table,
    uploads::Row,
};

/// How often an upload is read whose parts are gone.
const MAX_TRIES: u32 = 3;

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
