//! Giving up an upload: by its owner, by the timer, or with its model.

use domain::model::Status;

use super::{
    stored::{self, Found},
    validate,
};
use crate::{
    App, Error, Result,
    models::{delete, judge::reject},
};

/// How often this begins anew because the model was changed meanwhile.
const MAX_TRIES: u32 = 10;

/// Ends an upload that is not complete and removes its parts. A model that was to begin with it goes
/// too; of another, the version stays on record as rejected.
///
/// # Errors
/// `Conflict` when the file is complete already.
pub async fn give_up(app: &App, customer: &str, reference: &str) -> Result<()> {
    let mut found = stored::of(app, customer, reference).await?;
    let (id, number) = (found.head.id.clone(), found.version.number);
    for _ in 0..MAX_TRIES {
        if found.row.is_none() || found.version.status != Status::Uploading {
            return Err(Error::Conflict(format!(
                "version {number} of the model `{id}` is {}, its upload is over; DELETE \
                 /api/v1/models/{{id}} removes the model",
                found.version.status.name()
            )));
        }
        if end(app, &found, "its upload was given up").await? {
            return Ok(());
        }
        // the same version, whatever was announced meanwhile
        found = stored::of(app, customer, &format!("{id}@{number}")).await?;
    }
    let message = format!("the model `{id}` is being changed; try again in a moment");
    Err(Error::Conflict(message))
}

/// Ends an upload that is not complete, for a reason. False, with nothing of it gone, when the model
/// was changed or the upload completed since it was read.
pub(super) async fn end(app: &App, found: &Found, reason: &str) -> Result<bool> {
    let (head, number) = (&found.head, found.version.number);
    let Some(row) = &found.row else { return Ok(true) };
    // nothing but this upload would be lost with the model
    if number == 1 && head.last == 1 {
        let removed = delete::unchanged(app, head).await?;
        if removed {
            row.pending.discard(app).await?;
        }
        return Ok(removed);
    }
    let rejected = reject(app, &head.id, number, Status::Uploading, reason).await?;
    if rejected {
        validate::end(app, &head.id, number).await?;
    }
    Ok(rejected)
}
