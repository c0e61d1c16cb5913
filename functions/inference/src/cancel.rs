//! `DELETE /inference/{job_id}`

use api::{Auth, Customer, Path, Result, Route, routes, scope};
use axum::{Json, extract::State};
use domain::{access::Scope, name::is_id};
use ports::Action;
use protocol::rest::inference::Cancelled;
use service::{App, BATCH_QUEUE, batch, inference};

pub(crate) fn route() -> Route {
    Route::new("inference-cancel", routes!(cancel)).auth(Auth::Customer(Scope::Infer)).uses(&[
        Action::GetRecords,
        Action::WriteRecords,
        Action::PostToSockets,
        Action::SendTo(BATCH_QUEUE),
    ])
}

/// Cancel an inference job
///
/// Devices that run it are told to stop.
#[utoipa::path(
    delete,
    path = "/inference/{job_id}",
    tag = "Inference",
    params(("job_id" = String, Path, description = "The job's id")),
    responses((status = 200, body = Cancelled))
)]
async fn cancel(
    State(app): State<App>,
    caller: Customer<scope::Infer>,
    Path(id): Path<String>,
) -> Result<Json<Cancelled>> {
    let customer = &caller.customer;
    Ok(Json(match is_id(&id, "batch") {
        true => batch::cancel(&app, customer, &id).await?,
        false => inference::cancel(&app, customer, &id).await?,
    }))
}
