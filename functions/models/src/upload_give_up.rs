//! `DELETE /models/{id}/upload`

use api::{Auth, Customer, Path, Result, Route, routes, scope};
use axum::{extract::State, http::StatusCode};
use domain::access::Scope;
use ports::Action;
use service::{App, models::uploads};

pub(crate) fn route() -> Route {
    Route::new("models-upload-give-up", routes!(give_up)).auth(Auth::Customer(Scope::Models)).uses(
        &[
            Action::GetRecords,
            Action::WriteRecords,
            Action::DeleteRecords,
            Action::WriteBlobs,
            Action::DeleteBlobs,
        ],
    )
}

/// Give up an upload in parts
///
/// Removes its parts. A model that was to begin with it goes too; of another model, the version stays
/// on record as rejected.
#[utoipa::path(
    delete,
    path = "/models/{id}/upload",
    tag = "Models",
    params(("id" = String, Path, description = "The model's id, with `@VERSION` unless its newest is meant")),
    responses((status = 204, description = "Given up"))
)]
async fn give_up(
    State(app): State<App>,
    caller: Customer<scope::Models>,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    uploads::give_up(&app, &caller.customer, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
