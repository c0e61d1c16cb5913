//! `DELETE /inference/{job_id}`

use api::{Auth, Customer, Path, Result, Route, routes, scope};
use axum::{Json, extract::State};
use domain::access::Scope;
use ports::Action;
use protocol::rest::inference::Cancelled;
use service::{App, inference};

pub(crate) fn route() -> Route {
    Route::new("inference-cancel", routes!(cancel)).auth(Auth::Customer(Scope::Infer)).uses(&[
        Action::GetRecords,
        Action::WriteRecords,
        Action::PostToSockets,
    ])
}

/// Cancel an inference job
///
/// A device that runs it is told to stop.
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
    Ok(Json(inference::cancel(&app, &caller.customer, &id).await?))
}
