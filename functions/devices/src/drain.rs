//! `POST /devices/{id}/drain`

use api::{Auth, Customer, Path, Result, Route, routes, scope};
use axum::{Json, extract::State};
use domain::access::Scope;
use ports::Action;
use protocol::rest::devices::Device;
use service::{App, devices};

pub(crate) fn route() -> Route {
    Route::new("devices-drain", routes!(drain)).auth(Auth::Customer(Scope::Devices)).uses(&[
        Action::GetRecords,
        Action::WriteRecords,
        Action::PostToSockets,
    ])
}

/// Drain a device of your own
///
/// It finishes what it has, gets nothing new and leaves; its `status` is `draining`, then `offline`. Doing
/// it again does no harm. Started again it works again.
#[utoipa::path(
    post,
    path = "/devices/{id}/drain",
    tag = "Devices",
    params(("id" = String, Path, description = "The device's id")),
    responses((status = 200, body = Device))
)]
async fn drain(
    State(app): State<App>,
    caller: Customer<scope::Devices>,
    Path(id): Path<String>,
) -> Result<Json<Device>> {
    Ok(Json(devices::drain(&app, &caller.customer, &id).await?))
}
