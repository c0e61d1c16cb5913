//! `POST /models`

use api::{Auth, Base, Customer, IdempotencyKey, Result, Route, is_json, routes, scope};
use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use domain::access::Scope;
use ports::Action;
use protocol::rest::{models::Upload as Form, uploads::NewUpload};
use service::{
    App, INSPECT_FUNCTION, POSTPROCESS_FUNCTION, PREPROCESS_FUNCTION, idempotency, models,
};
use std::time::Duration;

use crate::{
    begin::{self, Uploaded},
    form,
};

pub(crate) fn route() -> Route {
    Route::new("models-upload", routes!(upload))
        .auth(Auth::Customer(Scope::Models))
        .computes()
        .memory_mb(512)
        .timeout(Duration::from_secs(29))
        .uses(TAKES_FILES)
}

/// What it takes to take a file in.
pub(crate) const TAKES_FILES: &[Action] = &[
    Action::GetRecords,
    Action::WriteRecords,
    Action::DeleteRecords,
    Action::ReadBlobs,
    Action::WriteBlobs,
    Action::DeleteBlobs,
    Action::Call(INSPECT_FUNCTION),
    Action::Call(PREPROCESS_FUNCTION),
    Action::Call(POSTPROCESS_FUNCTION),
];

/// Upload a model
///
/// As a form with the file: it is parsed and type-checked before it is accepted; a refusal names what
/// is wrong in it. As JSON, for a file of any size: it is announced, and the answer says how its parts
/// are sent; `POST /models/{id}/complete` then has it looked at.
#[utoipa::path(
    post,
    path = "/models",
    tag = "Models",
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key changes nothing")),
    request_body(content((Form = "multipart/form-data"), (NewUpload = "application/json"))),
    responses((status = 201, body = Uploaded))
)]
async fn upload(
    State(app): State<App>,
    caller: Customer<scope::Models>,
    IdempotencyKey(key): IdempotencyKey,
    Base(base): Base,
    request: Request,
) -> Result<(StatusCode, Json<Uploaded>)> {
    if is_json(&request) {
        let key = key.as_deref();
        let begun = begin::begin(&app, &caller.customer, None, key, &base, request).await?;
        return Ok((StatusCode::CREATED, Json(Uploaded::Begun(begun))));
    }
    let (upload, fingerprint) = form::read(request, app.settings().upload_limit).await?;
    let request = idempotency::Request {
        customer: &caller.customer,
        route: "POST /models",
        key: key.as_deref(),
        fingerprint,
    };
    let create = |commit| models::upload(&app, &caller.customer, upload, commit);
    let model = idempotency::once(&app, request, create).await?;
    let model = models::complete(&app, model).await?;
    Ok((StatusCode::CREATED, Json(Uploaded::Model(Box::new(model)))))
}
