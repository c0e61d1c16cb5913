//! `POST /inference/batch`

use api::{Auth, Body, Customer, IdempotencyKey, Result, Route, routes, scope};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use domain::access::Scope;
use ports::Action;
use protocol::rest::batch::{Accepted, Estimate, Request};
use service::{
    App, BATCH_QUEUE,
    batch::{self, Call, Submitted},
};

pub(crate) fn route() -> Route {
    Route::new("inference-batch", routes!(submit)).auth(Auth::Customer(Scope::Infer)).uses(&[
        Action::GetRecords,
        Action::QueryRecords,
        Action::WriteRecords,
        // what a dataset holds
        Action::ReadBlobs,
        Action::WriteBlobs,
        // where the rows of a dataset are
        Action::ReadBlobs,
        // the inputs of a request that was sent twice
        Action::DeleteBlobs,
        Action::SendTo(BATCH_QUEUE),
    ])
}

/// Run many inferences
///
/// Answers as soon as the batch is on disk. Its inputs are cut into chunks, which devices work on beside
/// everything else; one that is wrong fails alone. With `dry_run` nothing is done, and the answer, 200,
/// says what the batch would take.
#[utoipa::path(
    post,
    path = "/inference/batch",
    tag = "Inference",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key runs nothing twice"),
    ),
    request_body = Request,
    responses((status = 202, body = Accepted), (status = 200, body = Estimate))
)]
async fn submit(
    State(app): State<App>,
    caller: Customer<scope::Infer>,
    IdempotencyKey(key): IdempotencyKey,
    body: Body<Request>,
) -> Result<Response> {
    let call = Call {
        customer: &caller.customer,
        body_hash: key.as_ref().map(|_| body.fingerprint()).unwrap_or_default(),
        idempotency_key: key.as_deref(),
    };
    Ok(match batch::submit(&app, call, &body.value).await? {
        Submitted::Accepted(accepted) => (StatusCode::ACCEPTED, Json(accepted)).into_response(),
        Submitted::Estimated(estimate) => Json(estimate).into_response(),
    })
}
