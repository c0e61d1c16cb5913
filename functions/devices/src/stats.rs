//! `GET /devices/stats`

use api::{Auth, Customer, Result, Route, routes, scope};
use axum::{Json, extract::State};
use domain::access::Scope;
use ports::Action;
use protocol::rest::devices::Stats;
use service::{App, devices};

pub(crate) fn route() -> Route {
    Route::new("devices-stats", routes!(stats))
        .auth(Auth::Customer(Scope::Devices))
        .uses(&[Action::GetRecords, Action::QueryRecords])
}

/// Sums over the devices you can use
#[utoipa::path(get, path = "/devices/stats", tag = "Devices", responses((status = 200, body = Stats)))]
async fn stats(State(app): State<App>, caller: Customer<scope::Devices>) -> Result<Json<Stats>> {
    Ok(Json(devices::stats(&app, &caller.customer).await?))
}
