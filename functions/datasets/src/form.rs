//! The form of an upload, read as it comes: nothing is kept of what nobody knows.

use std::collections::BTreeSet;

use api::{
    Result,
    form::{malformed, read_field, twice},
};
use axum::{
    extract::{DefaultBodyLimit, FromRequest, Multipart, Request},
    http::header::CONTENT_LENGTH,
};
use bytes::Bytes;
use ports::Checksum;
use service::{
    Error,
    datasets::{About, Upload},
    idempotency,
};

/// The largest file in one request, in bytes, where the deployment allows as much: a larger one goes in
/// parts and is never in memory.
const MAX_FILE: usize = 16 << 20;

/// How much all fields but the file may take together, in bytes.
const MAX_TEXTS: usize = 64 << 10;

/// Reads the form: the upload, and what an `Idempotency-Key` compares: every field, and the file's
/// checksum.
pub(crate) async fn read(mut request: Request, limit: usize) -> Result<(Upload, String)> {
    let limit = limit.min(MAX_FILE);
    let announced = request.headers().get(CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit + MAX_TEXTS) {
        return Err(Error::TooLarge(too_large(limit)).into());
    }
    DefaultBodyLimit::max(limit + MAX_TEXTS).apply(&mut request);
    let mut form = Multipart::from_request(request, &()).await.map_err(|_| {
        Error::UnsupportedMediaType(
            "send the file as multipart/form-data, for example curl -F file=@rows.csv, or announce \
             it as JSON and send it in parts"
                .into(),
        )
    })?;
    let mut upload = Upload { bytes: Bytes::new(), about: About::default() };
    let (mut known, mut fingerprints, mut left) = (BTreeSet::new(), Vec::new(), MAX_TEXTS);
    while let Some(field) = form.next_field().await.map_err(malformed)? {
        let name = field.name().unwrap_or_default().to_owned();
        if known.contains(&name) {
            return Err(twice(&name).into());
        }
        let (is_known, fingerprint) = if name == "file" {
            upload.about.file_name = field.file_name().map(str::to_owned);
            upload.bytes = read_field(field, limit, || too_large(limit)).await?;
            let checksum = Checksum::of(&upload.bytes).to_string();
            (true, idempotency::fingerprint(&[&name, &checksum]))
        } else {
            let too_large =
                || format!("the fields beside the file are over their limit of {MAX_TEXTS} bytes");
            left = left.checked_sub(name.len()).ok_or_else(|| Error::TooLarge(too_large()))?;
            let text = read_field(field, left, too_large).await?;
            left -= text.len();
            let text = std::str::from_utf8(&text)
                .map_err(|_| Error::invalid(&name, "expected text in UTF-8"))?;
            (set(&mut upload.about, &name, text)?, idempotency::fingerprint(&[&name, text]))
        };
        fingerprints.push(fingerprint);
        if is_known {
            known.insert(name);
        }
    }
    if !known.contains("file") {
        let message = "missing; attach the file as the form field `file`";
        return Err(Error::invalid("file", message).into());
    }
    // forms that differ in nothing but their order mean the same
    fingerprints.sort_unstable();
    let fingerprints: Vec<_> = fingerprints.iter().map(String::as_str).collect();
    Ok((upload, idempotency::fingerprint(&fingerprints)))
}

fn too_large(limit: usize) -> String {
    format!(
        "the file is over the limit of {limit} bytes for one request; announce it as JSON and send it in \
         parts, as `dcmp dataset upload` does"
    )
}

/// Whether it is a field that somebody knows; others are ignored, as in JSON bodies.
fn set(about: &mut About, name: &str, text: &str) -> Result<bool> {
    match name {
        "name" => about.name = Some(text.to_owned()),
        "format" => about.format = Some(text.to_owned()),
        "ttl_days" => {
            let days = text.trim().parse();
            about.ttl_days =
                Some(days.map_err(|_| Error::invalid(name, "expected a number of days"))?);
        }
        _ => return Ok(false),
    }
    Ok(true)
}
