//! The parts of an upload: how a file is cut, and where they are sent to.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::upload::Plan;
use ports::{Checksum, Part, Uploaded};
use protocol::rest::uploads as rest;

use super::Row;
use crate::{App, Error, Result};

/// How long a part's URL is good for.
const URL_EXPIRES: Duration = Duration::from_secs(3600);

/// The most parts that are signed at once.
const MAX_SIGNED: usize = 1_000;

/// How an announced file is cut; `parts` are the checksums that came with the announcement.
///
/// # Errors
/// `Invalid` with the field that is wrong.
pub(crate) fn plan(size: u64, part_size: Option<u64>, parts: Option<&[String]>) -> Result<Plan> {
    let plan = Plan::new(size, part_size)
        .map_err(|error| Error::invalid(error.field, error.to_string()))?;
    let Some(parts) = parts else { return Ok(plan) };
    if part_size.is_none() {
        let message = "missing; give it with `parts`, which depend on it";
        return Err(Error::invalid("part_size", message));
    }
    let (given, count) = (parts.len(), plan.parts());
    if given != count as usize || given > MAX_SIGNED {
        let message = format!(
            "lists {given} checksums, the file has {count} parts; with more than {MAX_SIGNED} leave \
             it out and use POST …/{{id}}/upload/parts"
        );
        return Err(Error::invalid("parts", message));
    }
    for (at, checksum) in parts.iter().enumerate() {
        read_checksum(&format!("parts[{at}]"), checksum)?;
    }
    Ok(plan)
}

/// URLs for parts of a file of `size` bytes, each for exactly the bytes of its checksum. `base` is
/// where the caller reached the platform.
pub(crate) fn sign(
    app: &App,
    size: u64,
    row: &Row,
    wanted: &[rest::PartWanted],
    base: &str,
) -> Result<rest::SignedParts> {
    if wanted.len() > MAX_SIGNED {
        let message = format!("asks for {} parts; ask for {MAX_SIGNED} at once", wanted.len());
        return Err(Error::invalid("parts", message));
    }
    let plan = row.plan(size)?;
    let mut parts = Vec::with_capacity(wanted.len());
    for (at, rest::PartWanted { number, checksum }) in wanted.iter().enumerate() {
        let number = *number;
        let size = plan.length(number).ok_or_else(|| {
            let message = format!("the parts of this file are numbered 1 to {}", plan.parts());
            Error::invalid(format!("parts[{at}].number"), message)
        })?;
        let checksum = read_checksum(&format!("parts[{at}].checksum"), checksum)?;
        let (blob, part) = (&row.pending.blob, Part { number, checksum });
        let url = app.ports.blobs.presign_part(blob, &row.upload, part, URL_EXPIRES, base)?;
        // S3 wants what was signed as a header of the request too
        let name = "x-amz-checksum-sha256".to_owned();
        let headers = BTreeMap::from([(name, STANDARD.encode(checksum.digest()))]);
        parts.push(rest::SignedPart { number, size, url, headers });
    }
    Ok(rest::SignedParts { parts })
}

/// The parts that are there, as they are shown.
pub(crate) fn shown(there: &[Uploaded]) -> Vec<rest::UploadedPart> {
    let part = |found: &Uploaded| rest::UploadedPart {
        number: found.part.number,
        size: found.size,
        checksum: found.part.checksum.to_string(),
    };
    there.iter().map(part).collect()
}

/// The numbers of the parts that are not there.
pub(crate) fn missing(plan: &Plan, there: &[Uploaded]) -> Vec<u32> {
    plan.missing(there.iter().map(|found| (found.part.number, found.size)))
}

/// When something of an upload came last.
pub(crate) async fn last_ms(app: &App, row: &Row) -> Result<u64> {
    let parts = match app.ports.blobs.uploaded_parts(&row.pending.blob, &row.upload).await {
        Err(ports::Error::NotFound(_)) => Vec::new(),
        parts => parts?,
    };
    Ok(parts.iter().map(|part| part.uploaded_ms).fold(row.started_ms, u64::max))
}

/// A checksum that a request holds.
pub(crate) fn read_checksum(field: &str, text: &str) -> Result<Checksum> {
    let message = "expected `sha256:` and the 64 hex digits of the SHA-256";
    Checksum::parse(text).ok_or_else(|| Error::invalid(field, message))
}
