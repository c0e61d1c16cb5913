//! A complete file: its parts are joined, and the whole is summed up.

use ports::{Checksum, Part};
use sha2::{Digest, Sha256};

use super::Row;
use crate::{App, Error, Result};

/// How much of a file is summed up at a time, and so in memory.
const CHUNK: u64 = 4 << 20;

/// Joins a file of `size` bytes and compares it with its checksum; why it is not the one that was
/// announced, if it is not.
pub(crate) async fn whole(
    app: &App,
    blob: &str,
    size: u64,
    announced: &str,
    row: &Row,
) -> Result<Option<String>> {
    if let Some(changed) = join(app, blob, size, row).await? {
        return Ok(Some(format!("its parts {changed} were changed; upload it again")));
    }
    let checksum = sum(app, blob, size).await?.to_string();
    Ok((checksum != announced).then(|| {
        format!(
            "the whole file has the checksum {checksum}, {announced} was announced: it was changed \
             or its parts were mixed up; upload it again"
        )
    }))
}

/// Joins the parts, unless that was done before; the numbers of those that were changed since the
/// upload was complete, if some were.
async fn join(app: &App, blob: &str, size: u64, row: &Row) -> Result<Option<String>> {
    let blobs = &app.ports.blobs;
    if blobs.head(blob).await?.is_some() {
        return Ok(None);
    }
    let there = match blobs.uploaded_parts(blob, &row.upload).await {
        Err(ports::Error::NotFound(_)) => Vec::new(),
        there => there?,
    };
    let sizes = there.iter().map(|found| (found.part.number, found.size));
    let missing = row.plan(size)?.missing(sizes);
    if !missing.is_empty() {
        return Ok(Some(domain::upload::list(&missing)));
    }
    let parts: Vec<Part> = there.iter().map(|found| found.part).collect();
    blobs.complete_upload(blob, &row.upload, &parts).await?;
    Ok(None)
}

/// The checksum of the whole file, a chunk at a time.
async fn sum(app: &App, blob: &str, size: u64) -> Result<Checksum> {
    let mut hash = Sha256::new();
    let mut at = 0;
    while at < size {
        let chunk = app.ports.blobs.get(blob, Some(at..size.min(at + CHUNK))).await?;
        let chunk = chunk.filter(|chunk| !chunk.is_empty());
        let chunk = chunk.ok_or_else(|| Error::internal(format!("{blob} ends at {at}")))?;
        at += chunk.len() as u64;
        // milliseconds of computing, apart from those who wait for something
        let summed = tokio::task::spawn_blocking(move || {
            hash.update(&chunk);
            hash
        });
        hash = summed.await.map_err(Error::internal)?;
    }
    Ok(Checksum::from_digest(hash.finalize().into()))
}
