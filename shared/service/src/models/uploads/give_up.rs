//! Giving up an upload: by its owner, by the timer, or with its model.

use domain::model::Status;

use super::{
    stored::{self, Found},
    validate,
};
use crate::{
    App, Error, Result,
    models::{accept::reject, delete},
};

/// Ends an upload that is not complete and removes its parts. A model that was to begin with it goes
/// too; of another, the version stays on record as rejected.
///
/// # Errors
/// `Conflict` when the file is complete already.
pub async fn give_up(app: &App, customer: &str, reference: &str) -> Result<()> {
    let found = stored::of(app, customer, reference).await?;
    if found.row.is_none() || found.version.status != Status::Uploading {
        return Err(Error::Conflict(format!(
            "version {} of the model `{}` is {}, its upload is over; DELETE /api/v1/models/{{id}} \
             removes the model",
            found.version.number,
            found.head.id,
            found.version.status.name()
        )));
    }
    end(app, &found, "its upload was given up").await
}

/// Ends an upload that is not complete, for a reason; nothing of one that was completed just now.
pub(super) async fn end(app: &App, found: &Found, reason: &str) -> Result<()> {
    let (head, number) = (&found.head, found.version.number);
    let Some(row) = &found.row else { return Ok(()) };
    if head.newest.is_none() && head.last == number {
        if delete::unchanged(app, head).await? {
            row.pending.discard(app).await?;
        }
        return Ok(());
    }
    if reject(app, &head.id, number, Status::Uploading, reason).await? {
        validate::end(app, &head.id, number).await?;
    }
    Ok(())
}
