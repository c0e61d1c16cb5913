//! `PATCH /models/{id}/schema`

use api::{Auth, Customer, IfMatch, Json as Body, Path, Result, Route, quoted, routes, scope};
use axum::{Json, extract::State, http::header, response::IntoResponse};
use domain::access::Scope;
use ports::Action;
use protocol::rest::models::{Model, Update};
use service::{App, POSTPROCESS_FUNCTION, PREPROCESS_FUNCTION, models};

pub(crate) fn route() -> Route {
    Route::new("models-update-schema", routes!(update_schema))
        .auth(Auth::Customer(Scope::Models))
        .computes()
        .memory_mb(512)
        .uses(&[
            Action::GetRecords,
            Action::WriteRecords,
            Action::ReadBlobs,
            Action::WriteBlobs,
            Action::DeleteBlobs,
            Action::Call(PREPROCESS_FUNCTION),
            Action::Call(POSTPROCESS_FUNCTION),
        ])
}

/// Change a model's schemas, labels, adapters, name or placement
///
/// Only what is given changes; `null` clears. A change of schemas, labels or adapters is a new
/// revision, which jobs submitted from then on pin.
#[utoipa::path(
    patch,
    path = "/models/{id}/schema",
    tag = "Models",
    params(
        ("id" = String, Path, description = "The model's id"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the model as you know it; 409 if it changed since"),
    ),
    request_body = Update,
    responses((status = 200, body = Model, headers(("ETag" = String, description = "Of the changed model"))))
)]
async fn update_schema(
    State(app): State<App>,
    caller: Customer<scope::Models>,
    condition: IfMatch,
    Path(id): Path<String>,
    Body(update): Body<Update>,
) -> Result<impl IntoResponse> {
    let allows = |tag: &str| condition.allows(tag);
    let (model, tag) = models::update(&app, &caller.customer, &id, &update, allows).await?;
    Ok(([(header::ETAG, quoted(&tag))], Json(model)))
}
