//! `POST /datasets`

use api::{Auth, Base, Customer, IdempotencyKey, Result, Route, is_json, routes, scope};
use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use domain::access::Scope;
use ports::Action;
use protocol::rest::datasets::{NewDataset, Upload as Form};
use service::{App, DATASET_INSPECT_FUNCTION, datasets, idempotency};
use std::time::Duration;

use crate::{
    begin::{self, Uploaded},
    form,
};

pub(crate) fn route() -> Route {
    Route::new("datasets-upload", routes!(upload))
        .auth(Auth::Customer(Scope::Infer))
        .memory_mb(512)
        .timeout(Duration::from_secs(29))
        .uses(&[
            Action::GetRecords,
            Action::WriteRecords,
            Action::DeleteRecords,
            Action::ReadBlobs,
            Action::WriteBlobs,
            Action::DeleteBlobs,
            Action::Call(DATASET_INSPECT_FUNCTION),
        ])
}

/// Upload a dataset
///
/// As a form with the file: it is read before it is accepted; a refusal names the line, column or array
/// that is wrong. As JSON, for a file of up to 1 GB: it is announced, and the answer says how its parts
/// are sent; `POST /datasets/{id}/complete` then has it read.
#[utoipa::path(
    post,
    path = "/datasets",
    tag = "Datasets",
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key changes nothing")),
    request_body(content((Form = "multipart/form-data"), (NewDataset = "application/json"))),
    responses((status = 201, body = Uploaded))
)]
async fn upload(
    State(app): State<App>,
    caller: Customer<scope::Infer>,
    IdempotencyKey(key): IdempotencyKey,
    Base(base): Base,
    request: Request,
) -> Result<(StatusCode, Json<Uploaded>)> {
    if is_json(&request) {
        let begun = begin::begin(&app, &caller.customer, key.as_deref(), &base, request).await?;
        return Ok((StatusCode::CREATED, Json(Uploaded::Begun(begun))));
    }
    let (upload, fingerprint) = form::read(request, app.settings().upload_limit).await?;
    let request = idempotency::Request {
        customer: &caller.customer,
        route: "POST /datasets",
        key: key.as_deref(),
        fingerprint,
    };
    let create = |commit| datasets::upload(&app, &caller.customer, upload, commit);
    let summary = idempotency::once(&app, request, create).await?;
    let dataset = datasets::complete(&app, summary).await?;
    Ok((StatusCode::CREATED, Json(Uploaded::Dataset(Box::new(dataset)))))
}
