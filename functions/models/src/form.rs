//! The form of an upload, read as it comes: nothing is kept of what nobody knows, and all of it has
//! one limit.

use std::collections::BTreeSet;

use api::{
    Result,
    form::{malformed, read_field, twice},
};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request};
use bytes::Bytes;
use ports::Checksum;
use service::{
    Error, idempotency,
    models::{About, Given, MAX_DESCRIPTION, Upload, read_shape},
};

/// How much all fields but the file and [`DESCRIBED`] may take together, in bytes.
const MAX_TEXTS: usize = 256 * 1024;

/// What may be large beside the file; together these fields have a limit of their own.
const DESCRIBED: [&str; 3] = ["input_schema", "output_schema", "labels"];

/// What a field takes of that beside its name and its text, for its head.
const HEAD: usize = 128;

/// Reads the form: the upload, and what an `Idempotency-Key` compares: every field, and the file's
/// checksum.
pub(crate) async fn read(mut request: Request, limit: usize) -> Result<(Upload, String)> {
    DefaultBodyLimit::max(limit + MAX_TEXTS + MAX_DESCRIPTION).apply(&mut request);
    let mut form = Multipart::from_request(request, &()).await.map_err(|_| {
        Error::UnsupportedMediaType(
            "send the model as multipart/form-data, for example curl -F model=@my_model.onnx"
                .into(),
        )
    })?;
    let mut upload = Upload {
        bytes: Bytes::new(),
        file_name: None,
        format: None,
        given: Given::default(),
        version_of: None,
        about: About::default(),
    };
    let mut known = BTreeSet::new();
    let mut fingerprints = Vec::new();
    let (mut left, mut left_described) = (MAX_TEXTS, MAX_DESCRIPTION);
    while let Some(field) = form.next_field().await.map_err(malformed)? {
        let name = field.name().unwrap_or_default().to_owned();
        let (is_known, fingerprint) = if name == "model" {
            if known.contains(&name) {
                return Err(twice(&name).into());
            }
            upload.file_name = field.file_name().map(str::to_owned);
            let too_large =
                || format!("`{name}` is over the limit of {limit} bytes for one request");
            upload.bytes = read_field(field, limit, too_large).await?;
            let checksum = Checksum::of(&upload.bytes).to_string();
            (true, idempotency::fingerprint(&[&name, &checksum]))
        } else {
            let (left, limit) = match DESCRIBED.contains(&name.as_str()) {
                true => (&mut left_described, MAX_DESCRIPTION),
                false => (&mut left, MAX_TEXTS),
            };
            let too_large = || {
                format!(
                    "the fields beside the file, up to `{name}`, are over their limit of {limit} \
                     bytes together"
                )
            };
            let head = HEAD + name.len();
            *left = left.checked_sub(head).ok_or_else(|| Error::TooLarge(too_large()))?;
            let text = read_field(field, *left, too_large).await?;
            *left -= text.len();
            let text = std::str::from_utf8(&text)
                .map_err(|_| Error::invalid(&name, "expected text in UTF-8"))?;
            (set(&mut upload, &name, text)?, idempotency::fingerprint(&[&name, text]))
        };
        fingerprints.push(fingerprint);
        if is_known && !known.insert(name.clone()) {
            return Err(twice(&name).into());
        }
    }
    if !known.contains("model") {
        let message = "missing; attach the file as the form field `model`";
        return Err(Error::invalid("model", message).into());
    }
    // forms that differ in nothing but their order mean the same
    fingerprints.sort_unstable();
    let fingerprints: Vec<_> = fingerprints.iter().map(String::as_str).collect();
    Ok((upload, idempotency::fingerprint(&fingerprints)))
}

/// Whether it is a field that somebody knows; others are ignored, as in JSON bodies.
fn set(upload: &mut Upload, name: &str, text: &str) -> Result<bool> {
    match name {
        "format" => upload.format = Some(text.to_owned()),
        "version_of" => upload.version_of = Some(text.to_owned()),
        "input_shape" => upload.given.input_shape = Some(read_shape(name, text)?),
        "output_shape" => upload.given.output_shape = Some(read_shape(name, text)?),
        _ => return Ok(upload.about.set(name, text)?),
    }
    Ok(true)
}
