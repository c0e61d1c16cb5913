//! The JSON of `POST /datasets`: a file that is to come in parts.

use api::{Body, Result};
use axum::extract::{FromRequest, Request};
use protocol::rest::{
    datasets::{Begun, Dataset, NewDataset},
    uploads::PartWanted,
};
use service::{
    App,
    datasets::uploads::{self, New},
    idempotency,
};
use utoipa::ToSchema;

/// The answer to an upload.
#[derive(serde::Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = DatasetUploaded)]
pub(crate) enum Uploaded {
    /// To a form with the file: the dataset.
    Dataset(Box<Dataset>),
    /// To an announcement in JSON: how the file is sent.
    Begun(Begun),
}

/// Puts the upload on record, and signs the parts whose checksums came with it.
pub(crate) async fn begin(
    app: &App,
    customer: &str,
    key: Option<&str>,
    base: &str,
    request: Request,
) -> Result<Begun> {
    let body = Body::<NewDataset>::from_request(request, app).await?;
    let request = idempotency::Request {
        customer,
        route: "POST /datasets",
        key,
        fingerprint: body.fingerprint(),
    };
    let checksums = body.value.parts.clone().unwrap_or_default();
    let create = |commit| async move {
        uploads::begin(app, New::read(app, customer, body.value)?, commit).await
    };
    let mut begun: Begun = idempotency::once(app, request, create).await?;
    if !checksums.is_empty() {
        let wanted: Vec<_> = (1..)
            .zip(checksums)
            .map(|(number, checksum)| PartWanted { number, checksum })
            .collect();
        begun.upload.parts = uploads::sign(app, customer, &begun.id, &wanted, base).await?.parts;
    }
    Ok(begun)
}
