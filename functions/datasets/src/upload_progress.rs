//! `GET /datasets/{id}/upload`

use api::{Auth, Customer, Path, Result, Route, routes, scope};
use axum::{Json, extract::State};
use domain::access::Scope;
use ports::Action;
use protocol::rest::datasets::Progress;
use service::{App, datasets::uploads};

pub(crate) fn route() -> Route {
    Route::new("datasets-upload-progress", routes!(progress))
        .auth(Auth::Customer(Scope::Infer))
        .uses(&[Action::GetRecords, Action::WriteBlobs])
}

/// Show how far an upload in parts is
///
/// Says which parts are there: what an interrupted client goes on with. `DELETE /datasets/{id}` gives
/// the upload up.
#[utoipa::path(
    get,
    path = "/datasets/{id}/upload",
    tag = "Datasets",
    params(("id" = String, Path, description = "The dataset's id")),
    responses((status = 200, body = Progress))
)]
async fn progress(
    State(app): State<App>,
    caller: Customer<scope::Infer>,
    Path(id): Path<String>,
) -> Result<Json<Progress>> {
    Ok(Json(uploads::progress(&app, &caller.customer, &id).await?))
}
