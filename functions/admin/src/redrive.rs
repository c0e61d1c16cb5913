//! `POST /admin/dead-letters/redrive`

use api::{Admin, Auth, Body, Result, Route, routes};
use axum::{Json, extract::State};
use protocol::rest::admin::{Redrive, Redriven};
use service::{App, dead_letters};

pub(crate) fn route() -> Route {
    Route::new("admin-redrive", routes!(redrive)).auth(Auth::Admin).uses(dead_letters::REDRIVES)
}

/// Give messages that failed too often another try
#[utoipa::path(
    post,
    path = "/admin/dead-letters/redrive",
    tag = "Admin",
    request_body = Redrive,
    responses((status = 200, body = Redriven))
)]
async fn redrive(
    State(app): State<App>,
    _admin: Admin,
    body: Body<Redrive>,
) -> Result<Json<Redriven>> {
    Ok(Json(dead_letters::redrive(&app, body.value.queue.as_deref()).await?))
}
