//! Saying that all parts are there.

use std::{sync::Arc, time::Duration};

use domain::{model::Status, upload};
use protocol::rest::models as rest;

use super::stored::{self, Found};
use crate::{
    App, Error, Result, UPLOADS_QUEUE,
    models::{Version, show, stored as models},
    table,
    uploads::UNHEARD_MS,
};

/// Ends an upload: its file is looked at from now on, apart from this request. Repeating it changes
/// nothing.
///
/// # Errors
/// `Conflict` with the numbers of the parts that are missing.
pub async fn complete(app: &App, customer: &str, reference: &str) -> Result<rest::Summary> {
    loop {
        let (found, there) = stored::with_parts(app, customer, reference).await?;
        let Found { head, version, row } = &found;
        let (id, number) = (&head.id, version.number);
        let Some(row) = row.as_ref().filter(|_| version.status == Status::Uploading) else {
            return Ok(show::summary(head, version));
        };
        let plan = row.plan(version.size)?;
        let missing = plan.missing(there.iter().map(|found| (found.part.number, found.size)));
        if !missing.is_empty() {
            return Err(Error::Conflict(format!(
                "of {} parts these are missing: {}; send them, then complete the upload again",
                plan.parts(),
                upload::list(&missing)
            )));
        }
        let status = Status::Validating;
        let version = Arc::new(Version { status, ..Version::clone(version) });
        let (_, mut writes) =
            row.change(&table::model_upload(id, number), app.now_ms() + UNHEARD_MS)?;
        writes.push(models::row(id, &version, ports::Condition::Exists)?);
        if models::commit(app, head, writes).await? {
            enqueue(app, id, number).await?;
            return Ok(show::summary(head, &version));
        }
    }
}

/// Has somebody look at a complete file.
pub(super) async fn enqueue(app: &App, id: &str, number: u32) -> Result<()> {
    let message = serde_json::json!({ "model": id, "version": number });
    Ok(app.ports.queues.send(UPLOADS_QUEUE, &message, Duration::ZERO).await?)
}
