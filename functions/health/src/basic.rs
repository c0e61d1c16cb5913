//! `GET /health`

use api::{Route, routes};
use axum::{Json as Answer, extract::State};
use protocol::rest::health::Health;
use service::App;

pub(crate) fn route() -> Route {
    Route::new("health-basic", routes!(basic))
}

/// Basic health check
#[utoipa::path(get, path = "/health", tag = "Health", responses((status = 200, body = Health)))]
async fn basic(State(app): State<App>) -> Answer<Health> {
    Answer(service::health::basic(&app))
}
