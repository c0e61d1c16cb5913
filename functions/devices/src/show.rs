//! `GET /devices/{id}`

use api::{Auth, Customer, Path, Result, Route, routes, scope};
use axum::{Json, extract::State};
use domain::access::Scope;
use ports::Action;
use protocol::rest::devices::Device;
use service::{App, devices};

pub(crate) fn route() -> Route {
    Route::new("devices-show", routes!(show))
        .auth(Auth::Customer(Scope::Devices))
        .uses(&[Action::GetRecords])
}

/// Show a device: hardware, capabilities, metrics
#[utoipa::path(
    get,
    path = "/devices/{id}",
    tag = "Devices",
    params(("id" = String, Path, description = "The device's id")),
    responses((status = 200, body = Device))
)]
async fn show(
    State(app): State<App>,
    caller: Customer<scope::Devices>,
    Path(id): Path<String>,
) -> Result<Json<Device>> {
    Ok(Json(devices::get(&app, &caller.customer, &id).await?))
}
