//! `GET /devices/{id}/logs`

use std::time::Duration;

use api::{Auth, Customer, Path, Query, Result, Route, routes, scope};
use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use domain::access::Scope;
use ports::Action;
use protocol::rest::devices::{Logs, LogsPending};
use service::{
    App,
    devices::logs::{self, Answer, Question},
};
use utoipa::IntoParams;

pub(crate) fn route() -> Route {
    Route::new("devices-logs", routes!(pull))
        .auth(Auth::Customer(Scope::Devices))
        .timeout(Duration::from_secs(29))
        .uses(&[Action::GetRecords, Action::WriteRecords, Action::PostToSockets])
}

#[derive(serde::Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wish {
    /// The newest so many lines, 1 to 1000 (default 100).
    lines: Option<u32>,
    /// `all` (default), or the least serious level: `trace`, `debug`, `info`, `warn` or `error`.
    level: Option<String>,
    /// How long to wait for the device, in ms; 25 000 at most, and by default.
    timeout: Option<u64>,
}

/// Pull the recent log of a device of your own
///
/// Asks the device over its socket and waits; then answers 202, and `poll_url` has the answer later.
#[utoipa::path(
    get,
    path = "/devices/{id}/logs",
    tag = "Devices",
    params(("id" = String, Path, description = "The device's id"), Wish),
    responses((status = 200, body = Logs), (status = 202, body = LogsPending))
)]
async fn pull(
    State(app): State<App>,
    caller: Customer<scope::Devices>,
    Path(id): Path<String>,
    Query(wish): Query<Wish>,
) -> Result<Response> {
    let level = wish.level.as_deref();
    let question = Question { lines: wish.lines, level, timeout_ms: wish.timeout };
    Ok(encode(logs::pull(&app, &caller.customer, &id, question).await?))
}

/// The answer as HTTP has it.
pub(crate) fn encode(answer: Answer) -> Response {
    match answer {
        Answer::Complete(logs) => Json(logs).into_response(),
        Answer::Pending(pending) => (StatusCode::ACCEPTED, Json(pending)).into_response(),
    }
}
