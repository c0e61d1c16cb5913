//! `POST /models/{id}/versions`

use std::time::Duration;

use api::{Auth, Base, Customer, IdempotencyKey, Path, Result, Route, is_json, routes, scope};
use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use domain::access::Scope;
use protocol::rest::{models::Upload as Form, uploads::NewUpload};
use service::{App, idempotency, models};

use crate::{
    begin::{self, Uploaded},
    form,
    upload::TAKES_FILES,
};

pub(crate) fn route() -> Route {
    Route::new("models-upload-version", routes!(upload_version))
        .auth(Auth::Customer(Scope::Models))
        .computes()
        .memory_mb(512)
        .timeout(Duration::from_secs(29))
        .uses(TAKES_FILES)
}

/// Upload the next version of a model
///
/// The form has the file, and `format`, `input_shape` and `output_shape` if they are to be compared
/// with it. From then on the model's id alone means this version. Inputs and outputs may differ from
/// those of the version before; `warnings` says how. As JSON, the file is announced and comes in parts,
/// as with `POST /models`.
#[utoipa::path(
    post,
    path = "/models/{id}/versions",
    tag = "Models",
    params(
        ("id" = String, Path, description = "The model's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key changes nothing"),
    ),
    request_body(content((Form = "multipart/form-data"), (NewUpload = "application/json"))),
    responses((status = 201, body = Uploaded))
)]
async fn upload_version(
    State(app): State<App>,
    caller: Customer<scope::Models>,
    IdempotencyKey(key): IdempotencyKey,
    Path(id): Path<String>,
    Base(base): Base,
    request: Request,
) -> Result<(StatusCode, Json<Uploaded>)> {
    if is_json(&request) {
        let (customer, key) = (&caller.customer, key.as_deref());
        let begun = begin::begin(&app, customer, Some(&id), key, &base, request).await?;
        return Ok((StatusCode::CREATED, Json(Uploaded::Begun(begun))));
    }
    let (upload, fingerprint) = form::read(request, app.settings().upload_limit).await?;
    let request = idempotency::Request {
        customer: &caller.customer,
        route: "POST /models/{id}/versions",
        key: key.as_deref(),
        // the same form for another model is another request
        fingerprint: idempotency::fingerprint(&[&id, &fingerprint]),
    };
    let create = |commit| models::upload_version(&app, &caller.customer, &id, upload, commit);
    let model = idempotency::once(&app, request, create).await?;
    let model = models::complete(&app, model).await?;
    Ok((StatusCode::CREATED, Json(Uploaded::Model(Box::new(model)))))
}
