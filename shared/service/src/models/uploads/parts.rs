//! The parts of an upload under way: where they are sent to, and which are there.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::model::Status;
use ports::Part;
use protocol::rest::uploads as rest;

use super::{
    begin::read_checksum,
    stored::{self, Found, Row},
};
use crate::{App, Error, Result};

/// How long a part's URL is good for.
const URL_EXPIRES: Duration = Duration::from_secs(3600);

/// The most parts that are signed at once.
pub(super) const MAX_SIGNED: usize = 1_000;

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
    if wanted.len() > MAX_SIGNED {
        let message = format!("asks for {} parts; ask for {MAX_SIGNED} at once", wanted.len());
        return Err(Error::invalid("parts", message));
    }
    let plan = row.plan(found.version.size)?;
    let mut parts = Vec::with_capacity(wanted.len());
    for (at, rest::PartWanted { number, checksum }) in wanted.iter().enumerate() {
        let number = *number;
        let size = plan.length(number).ok_or_else(|| {
            let message = format!("the parts of this file are numbered 1 to {}", plan.parts());
            Error::invalid(format!("parts[{at}].number"), message)
        })?;
        let checksum = read_checksum(&format!("parts[{at}].checksum"), checksum)?;
        let (blob, part) = (&found.version.blob, Part { number, checksum });
        let url = app.ports.blobs.presign_part(blob, &row.upload, part, URL_EXPIRES, base)?;
        // S3 wants what was signed as a header of the request too
        let name = "x-amz-checksum-sha256".to_owned();
        let headers = BTreeMap::from([(name, STANDARD.encode(checksum.digest()))]);
        parts.push(rest::SignedPart { number, size, url, headers });
    }
    Ok(rest::SignedParts { parts })
}

/// How far an upload is.
///
/// # Errors
/// `NotFound` when none is under way.
pub async fn progress(app: &App, customer: &str, reference: &str) -> Result<rest::Progress> {
    let (found, there) = stored::with_parts(app, customer, reference).await?;
    let Found { head, version, row } = &found;
    let row = row.as_ref().ok_or_else(|| {
        let (number, id, status) = (version.number, &head.id, version.status.name());
        Error::NotFound(format!(
            "nothing is being uploaded as version {number} of the model `{id}`, which is {status}"
        ))
    })?;
    let plan = row.plan(version.size)?;
    let missing = match version.status {
        Status::Uploading => {
            plan.missing(there.iter().map(|found| (found.part.number, found.size)))
        }
        _ => Vec::new(),
    };
    let uploaded = there.iter().map(|found| rest::UploadedPart {
        number: found.part.number,
        size: found.size,
        checksum: found.part.checksum.to_string(),
    });
    Ok(rest::Progress {
        id: head.id.clone(),
        version: version.number,
        status: version.status.name().to_owned(),
        size: version.size,
        checksum: version.checksum.clone(),
        part_size: plan.part_size(),
        part_count: plan.parts(),
        uploaded: uploaded.collect(),
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
