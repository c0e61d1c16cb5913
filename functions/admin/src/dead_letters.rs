//! `GET /admin/dead-letters`

use api::{Admin, Auth, Result, Route, routes};
use axum::{Json, extract::State};
use ports::Action;
use protocol::rest::admin::DeadLetters;
use service::{App, dead_letters};

pub(crate) fn route() -> Route {
    Route::new("admin-dead-letters", routes!(list))
        .auth(Auth::Admin)
        .uses(dead_letters::REDRIVES)
        .uses(&[Action::GetRecords])
}

/// List messages that failed too often
///
/// Some of each queue, with what became of the work that they name.
#[utoipa::path(
    get,
    path = "/admin/dead-letters",
    tag = "Admin",
    responses((status = 200, body = DeadLetters))
)]
async fn list(State(app): State<App>, _admin: Admin) -> Result<Json<DeadLetters>> {
    Ok(Json(dead_letters::list(&app).await?))
}
