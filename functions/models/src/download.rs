//! `GET /models/{id}/download`

use api::{Auth, Base, CustomerOrDevice, Path, Query, Result, Route, routes};
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use domain::access::Scope;
use ports::Action;
use service::{App, Error, models};
use utoipa::IntoParams;

pub(crate) fn route() -> Route {
    Route::new("models-download", routes!(download))
        .auth(Auth::CustomerOrDevice(Scope::Models))
        .uses(&[Action::GetRecords, Action::ReadBlobs])
}

#[derive(serde::Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// The version; by default the newest that is ready.
    version: Option<u32>,
    /// For devices: the task that needs the model.
    task: Option<String>,
}

/// Download a model's file
///
/// Answers with a redirect to a URL that is good for five minutes. Devices call it with the token
/// of their session and a task that they hold.
#[utoipa::path(
    get,
    path = "/models/{id}/download",
    tag = "Models",
    params(("id" = String, Path, description = "The model's id, or with a version: `model_…@3`"), Which),
    responses((status = 302, description = "`Location` is where the file is"))
)]
async fn download(
    State(app): State<App>,
    caller: CustomerOrDevice,
    Base(base): Base,
    Path(id): Path<String>,
    Query(which): Query<Which>,
) -> Result<impl IntoResponse> {
    let url = match caller {
        CustomerOrDevice::Customer(caller) => {
            models::download(&app, &caller.customer, &id, which.version, &base).await?
        }
        CustomerOrDevice::Device(device) => {
            let task = which.task.ok_or_else(|| {
                Error::invalid("task", "missing; a device names the task that needs the model")
            })?;
            models::download_for_task(&app, &device, &id, &task, &base).await?
        }
    };
    Ok((StatusCode::FOUND, [(header::LOCATION, url), (header::CACHE_CONTROL, "no-store".into())]))
}
