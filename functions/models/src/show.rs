//! `GET /models/{id}`

use api::{Auth, Customer, IfNoneMatch, Path, Query, Result, Route, routes, scope};
use axum::{Json, extract::State, response::Response};
use domain::access::Scope;
use ports::Action;
use protocol::rest::models::Model;
use service::{App, models};
use utoipa::IntoParams;

pub(crate) fn route() -> Route {
    Route::new("models-show", routes!(show))
        .auth(Auth::Customer(Scope::Models))
        .uses(&[Action::GetRecords, Action::ReadBlobs])
}

#[derive(serde::Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// The version; by default the newest that is ready.
    version: Option<u32>,
}

/// Show a model
#[utoipa::path(
    get,
    path = "/models/{id}",
    tag = "Models",
    params(
        ("id" = String, Path, description = "The model's id, or with a version: `model_…@3`"),
        Which,
        ("If-None-Match" = Option<String>, Header, description = "An `ETag`; 304 if nothing changed since"),
    ),
    responses(
        (status = 200, body = Model, headers(("ETag" = String, description = "Changes whenever the model does"))),
        (status = 304, description = "The model is as you know it")
    )
)]
async fn show(
    State(app): State<App>,
    caller: Customer<scope::Models>,
    condition: IfNoneMatch,
    Path(id): Path<String>,
    Query(which): Query<Which>,
) -> Result<Response> {
    let (shown, tag) = models::look(&app, &caller.customer, &id, which.version).await?;
    condition.answer(&tag, async || Ok(Json(models::complete(&app, shown).await?))).await
}
