//! `GET /devices/{id}/logs/{request_id}`

use api::{Auth, Customer, Path, Result, Route, routes, scope};
use axum::{extract::State, response::Response};
use domain::access::Scope;
use ports::Action;
use protocol::rest::devices::{Logs, LogsPending};
use service::{App, devices::logs};

use crate::logs::encode;

pub(crate) fn route() -> Route {
    Route::new("devices-logs-show", routes!(show))
        .auth(Auth::Customer(Scope::Devices))
        .uses(&[Action::GetRecords])
}

/// Show what a device answered when it was asked for its log
#[utoipa::path(
    get,
    path = "/devices/{id}/logs/{request_id}",
    tag = "Devices",
    params(
        ("id" = String, Path, description = "The device's id"),
        ("request_id" = String, Path, description = "Of the question; kept for an hour")
    ),
    responses((status = 200, body = Logs), (status = 202, body = LogsPending))
)]
async fn show(
    State(app): State<App>,
    caller: Customer<scope::Devices>,
    Path((id, request_id)): Path<(String, String)>,
) -> Result<Response> {
    Ok(encode(logs::get(&app, &caller.customer, &id, &request_id).await?))
}
