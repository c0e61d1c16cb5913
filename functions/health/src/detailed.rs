//! `GET /health/detailed`

use api::{Route, routes};
use axum::{Json, extract::State};
use ports::Action;
use protocol::rest::health::Detailed;
use service::App;

pub(crate) fn route() -> Route {
    Route::new("health-detailed", routes!(detailed)).uses(&[Action::GetRecords])
}

/// Health of every service, with what it holds
///
/// Counts are folded from the change feed and may lag a moment behind.
#[utoipa::path(
    get,
    path = "/health/detailed",
    tag = "Health",
    responses((status = 200, body = Detailed))
)]
async fn detailed(State(app): State<App>) -> Json<Detailed> {
    Json(service::health::detailed(&app).await)
}
