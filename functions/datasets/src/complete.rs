//! `POST /datasets/{id}/complete`

use api::{Auth, Customer, Path, Result, Route, routes, scope};
use axum::{Json, extract::State, http::StatusCode};
use domain::access::Scope;
use ports::Action;
use protocol::rest::datasets::Summary;
use service::{App, UPLOADS_QUEUE, datasets::uploads};

pub(crate) fn route() -> Route {
    Route::new("datasets-complete", routes!(complete)).auth(Auth::Customer(Scope::Infer)).uses(&[
        Action::GetRecords,
        Action::WriteRecords,
        Action::DeleteRecords,
        Action::WriteBlobs,
        Action::SendTo(UPLOADS_QUEUE),
    ])
}

/// Complete an upload in parts
///
/// The file is joined, compared with its checksum and read apart from this request: `GET
/// /datasets/{id}` shows `validating`, and then `ready`, or `rejected` with the error. Repeating it
/// changes nothing.
#[utoipa::path(
    post,
    path = "/datasets/{id}/complete",
    tag = "Datasets",
    params(("id" = String, Path, description = "The dataset's id")),
    responses((status = 202, body = Summary))
)]
async fn complete(
    State(app): State<App>,
    caller: Customer<scope::Infer>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Summary>)> {
    let dataset = uploads::complete(&app, &caller.customer, &id).await?;
    Ok((StatusCode::ACCEPTED, Json(dataset)))
}
