//! `DELETE /datasets/{id}`

use api::{Auth, Customer, Path, Result, Route, routes, scope};
use axum::{extract::State, http::StatusCode};
use domain::access::Scope;
use ports::Action;
use service::{App, datasets};

pub(crate) fn route() -> Route {
    Route::new("datasets-delete", routes!(delete)).auth(Auth::Customer(Scope::Infer)).uses(&[
        Action::GetRecords,
        Action::WriteRecords,
        Action::DeleteRecords,
        Action::WriteBlobs,
        Action::DeleteBlobs,
    ])
}

/// Delete a dataset
///
/// With its files, in whatever state it is: an upload under way is given up. Batches that still read it
/// fail.
#[utoipa::path(
    delete,
    path = "/datasets/{id}",
    tag = "Datasets",
    params(("id" = String, Path, description = "The dataset's id")),
    responses((status = 204, description = "Deleted"))
)]
async fn delete(
    State(app): State<App>,
    caller: Customer<scope::Infer>,
    Path(id): Path<String>,
) -> Result<StatusCode> {
    datasets::delete(&app, &caller.customer, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
