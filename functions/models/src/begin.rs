//! The JSON of `POST /models` and `POST /models/{id}/versions`: a file that is to come in parts.

use api::{Body, Result};
use axum::extract::{FromRequest, Request};
use protocol::rest::uploads::{Begun, NewUpload, PartWanted};
use service::{
    App, idempotency,
    models::uploads::{self, New},
};

/// Puts the upload on record, and signs the parts whose checksums came with it; `model` is the id in
/// the path, if there is one.
pub(crate) async fn begin(
    app: &App,
    customer: &str,
    model: Option<&str>,
    key: Option<&str>,
    base: &str,
    request: Request,
) -> Result<Begun> {
    let body = Body::<NewUpload>::from_request(request, app).await?;
    let request = idempotency::Request {
        customer,
        route: "POST /models",
        key,
        // the same for another model is another request
        fingerprint: idempotency::fingerprint(&[model.unwrap_or_default(), &body.fingerprint()]),
    };
    let checksums = body.value.parts.clone().unwrap_or_default();
    let create = |commit| async move {
        let new = New::read(app, customer, model, body.value).await?;
        uploads::begin(app, customer, new, commit).await
    };
    let mut begun: Begun = idempotency::once(app, request, create).await?;
    if !checksums.is_empty() {
        let wanted: Vec<_> = (1..)
            .zip(checksums)
            .map(|(number, checksum)| PartWanted { number, checksum })
            .collect();
        let reference = format!("{}@{}", begun.id, begun.version);
        begun.upload.parts = uploads::sign(app, customer, &reference, &wanted, base).await?.parts;
    }
    Ok(begun)
}
