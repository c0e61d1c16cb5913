//! `GET /models/{id}/upload`

use api::{Auth, Customer, Path, Result, Route, routes, scope};
use axum::{Json, extract::State};
use domain::access::Scope;
use ports::Action;
use protocol::rest::uploads::Progress;
use service::{App, models::uploads};

pub(crate) fn route() -> Route {
    Route::new("models-upload-progress", routes!(progress))
        .auth(Auth::Customer(Scope::Models))
        .uses(&[Action::GetRecords, Action::WriteBlobs])
}

/// Show how far an upload in parts is
///
/// Says which parts are there: what an interrupted client goes on with.
#[utoipa::path(
    get,
    path = "/models/{id}/upload",
    tag = "Models",
    params(("id" = String, Path, description = "The model's id, with `@VERSION` unless its newest is meant")),
    responses((status = 200, body = Progress))
)]
async fn progress(
    State(app): State<App>,
    caller: Customer<scope::Models>,
    Path(id): Path<String>,
) -> Result<Json<Progress>> {
    Ok(Json(uploads::progress(&app, &caller.customer, &id).await?))
}
