//! `GET /datasets/{id}`

use api::{Auth, Customer, Path, Result, Route, routes, scope};
use axum::{Json, extract::State};
use domain::access::Scope;
use ports::Action;
use protocol::rest::datasets::Dataset;
use service::{App, datasets};

pub(crate) fn route() -> Route {
    Route::new("datasets-show", routes!(show))
        .auth(Auth::Customer(Scope::Infer))
        .uses(&[Action::GetRecords, Action::ReadBlobs])
}

/// Show a dataset
///
/// With its columns or arrays, their statistics and the labels, once it is ready.
#[utoipa::path(
    get,
    path = "/datasets/{id}",
    tag = "Datasets",
    params(("id" = String, Path, description = "The dataset's id")),
    responses((status = 200, body = Dataset))
)]
async fn show(
    State(app): State<App>,
    caller: Customer<scope::Infer>,
    Path(id): Path<String>,
) -> Result<Json<Dataset>> {
    Ok(Json(datasets::show(&app, &caller.customer, &id).await?))
}
