//! `DELETE /models/{id}`

use api::{Auth, Customer, Path, Result, Route, routes, scope};
use axum::{extract::State, http::StatusCode};
use domain::access::Scope;
use ports::Action;
use service::{App, models};

pub(crate) fn route() -> Route {
    Route::new("models-delete", routes!(delete)).auth(Auth::Customer(Scope::Models)).uses(&[
        Action::GetRecords,
        Action::QueryRecords,
        Action::WriteRecords,
        Action::DeleteRecords,
        Action::WriteBlobs,
        Action::DeleteBlobs,
    ])
}

/// Delete a model
///
/// With all its versions and files. Jobs that still run it fail when a device asks for its file.
#[utoipa::path(
    delete,
    path = "/models/{id}",
    tag = "Models",
    params(("id" = String, Path, description = "The model's id")),
    responses((status = 204, description = "Deleted"))
)]
async fn delete(
    State(app): State<App>,
    caller: Customer<scope::Models>,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    models::delete(&app, &caller.customer, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
