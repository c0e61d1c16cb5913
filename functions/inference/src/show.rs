//! `GET /inference/{job_id}`

use api::{Auth, Customer, Path, Result, Route, routes, scope};
use axum::{Json, extract::State};
use domain::access::Scope;
use ports::Action;
use protocol::rest::inference::Job;
use service::{App, POSTPROCESS_FUNCTION, inference};

pub(crate) fn route() -> Route {
    Route::new("inference-show", routes!(show)).auth(Auth::Customer(Scope::Infer)).uses(&[
        Action::GetRecords,
        // a job whose deadline passed unnoticed ends here
        Action::WriteRecords,
        Action::ReadBlobs,
        Action::PostToSockets,
        Action::Call(POSTPROCESS_FUNCTION),
    ])
}

/// Show an inference job and its result
#[utoipa::path(
    get,
    path = "/inference/{job_id}",
    tag = "Inference",
    params(("job_id" = String, Path, description = "The job's id")),
    responses((status = 200, body = Job))
)]
async fn show(
    State(app): State<App>,
    caller: Customer<scope::Infer>,
    Path(id): Path<String>,
) -> Result<Json<Job>> {
    Ok(Json(inference::get(&app, &caller.customer, &id).await?))
}
