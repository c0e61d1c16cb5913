//! `GET /inference/{job_id}`

use api::{Auth, Customer, Paging, Path, Result, Route, encode_cursor, routes, scope};
use axum::{Json, extract::State};
use domain::{access::Scope, name::is_id};
use ports::Action;
use protocol::rest::{batch::Shown, inference::Job};
use serde::Serialize;
use service::{App, POSTPROCESS_FUNCTION, batch, inference};
use utoipa::ToSchema;

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
///
/// Of a batch its progress and a page of the results that are there, in the order of the inputs.
#[utoipa::path(
    get,
    path = "/inference/{job_id}",
    tag = "Inference",
    params(("job_id" = String, Path, description = "The job's id"), Paging),
    responses((status = 200, body = One))
)]
async fn show(
    State(app): State<App>,
    caller: Customer<scope::Infer>,
    Path(id): Path<String>,
    paging: Paging,
) -> Result<Json<One>> {
    if !is_id(&id, "batch") {
        return Ok(Json(One::Single(inference::get(&app, &caller.customer, &id).await?)));
    }
    let cursor = paging.cursor.as_deref();
    let mut shown = batch::show(&app, &caller.customer, &id, cursor, paging.limit).await?;
    shown.next_cursor = encode_cursor(shown.next_cursor);
    Ok(Json(One::Batch(shown)))
}

/// A single inference or a batch.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum One {
    Single(Job),
    Batch(Shown),
}
