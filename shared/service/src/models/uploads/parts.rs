//! The parts of an upload under way: where they are sent to, and which are there.

use domain::model::Status;
use protocol::rest::uploads as rest;

use super::stored::{self, Found};
use crate::{
    App, Error, Result,
    uploads::{Row, parts},
};

/// URLs for parts of an upload, each for exactly the bytes of its checksum. `base` is where the
/// caller reached the platform.
///
/// # Errors
/// `Conflict` when the file is complete already.
pub async fn sign(
    app: &App,
    customer: &str,
    reference: &str,
    wanted: &[rest::PartWanted],
    base: &str,
) -> Result<rest::SignedParts> {
    let found = stored::of(app, customer, reference).await?;
    let row = uploading(&found)?;
    parts::sign(app, found.version.size, row, wanted, base)
}

/// How far an upload is.
///
/// # Errors
/// `NotFound` when none is under way.
pub async fn progress(app: &App, customer: &str, reference: &str) -> Result<rest::Progress> {
    let (found, there) = stored::with_parts(app, customer, reference).await?;
    let Found { head, version, row } = &found;
    // of one that is over the row stays until what is left of it is gone
    let goes_on = matches!(version.status, Status::Uploading | Status::Validating);
    let row = row.as_ref().filter(|_| goes_on).ok_or_else(|| {
        let (number, id, status) = (version.number, &head.id, version.status.name());
        Error::NotFound(format!(
            "nothing is being uploaded as version {number} of the model `{id}`, which is {status}"
        ))
    })?;
    let plan = row.plan(version.size)?;
    let missing = match version.status {
        Status::Uploading => parts::missing(&plan, &there),
        _ => Vec::new(),
    };
    Ok(rest::Progress {
        id: head.id.clone(),
        version: version.number,
        status: version.status.name().to_owned(),
        size: version.size,
        checksum: version.checksum.clone(),
        part_size: plan.part_size(),
        part_count: plan.parts(),
        uploaded: parts::shown(&there),
        missing,
        expires_at: row.expires_at(),
    })
}

/// The upload, if parts may still come.
fn uploading(found: &Found) -> Result<&Row> {
    let Found { head, version, row } = found;
    match row {
        Some(row) if version.status == Status::Uploading => Ok(row),
        _ => Err(Error::Conflict(format!(
            "version {} of the model `{}` is {} and takes no parts any more",
            version.number,
            head.id,
            version.status.name()
        ))),
    }
}
