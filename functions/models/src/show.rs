//! `GET /models/{id}`

use api::{Auth, Customer, Path, Result, Route, scope};
use axum::{Json, extract::State};
use domain::access::Scope;
use ports::Action;
use protocol::rest::models::Model;
use service::{App, models};
use utoipa_axum::routes;

pub(crate) fn route() -> Route {
    Route::new("models-show", routes!(show))
        .auth(Auth::Customer(Scope::Models))
        .uses(&[Action::GetRecords, Action::ReadBlobs])
}

/// Show a model
#[utoipa::path(
    get,
    path = "/models/{id}",
    tag = "Models",
    params(("id" = String, Path, description = "The model's id")),
    responses((status = 200, body = Model))
)]
async fn show(
    State(app): State<App>,
    caller: Customer<scope::Models>,
    Path(id): Path<String>,
) -> Result<Json<Model>> {
    Ok(Json(models::show_one(&app, &caller.customer, &id).await?))
}
