//! `POST /models/{id}/complete`

use api::{Auth, Customer, Path, Result, Route, routes, scope};
use axum::{Json, extract::State, http::StatusCode};
use domain::access::Scope;
use ports::Action;
use protocol::rest::models::Summary;
use service::{App, UPLOADS_QUEUE, models::uploads};

pub(crate) fn route() -> Route {
    Route::new("models-complete", routes!(complete)).auth(Auth::Customer(Scope::Models)).uses(&[
        Action::GetRecords,
        Action::WriteRecords,
        Action::DeleteRecords,
        Action::WriteBlobs,
        Action::SendTo(UPLOADS_QUEUE),
    ])
}

/// Complete an upload in parts
///
/// The file is joined, compared with its checksum and looked at apart from this request: `GET
/// /models/{id}` shows `validating`, and then `ready`, or `rejected` with the reason. Repeating it
/// changes nothing.
#[utoipa::path(
    post,
    path = "/models/{id}/complete",
    tag = "Models",
    params(("id" = String, Path, description = "The model's id, with `@VERSION` unless its newest is meant")),
    responses((status = 202, body = Summary))
)]
async fn complete(
    State(app): State<App>,
    caller: Customer<scope::Models>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Summary>)> {
    let model = uploads::complete(&app, &caller.customer, &id).await?;
    Ok((StatusCode::ACCEPTED, Json(model)))
}
