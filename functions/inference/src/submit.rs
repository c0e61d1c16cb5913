//! `POST /inference`

use std::time::Duration;

use api::{Auth, Body, Customer, IdempotencyKey, Query, Result, Route, routes, scope};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use domain::access::Scope;
use ports::Action;
use protocol::rest::inference::{Accepted, Job, Request};
use service::{
    App, Error, POSTPROCESS_FUNCTION, PREPROCESS_FUNCTION,
    inference::{self, Call, Submitted},
    jobs::DISPATCHES,
};
use utoipa::IntoParams;

pub(crate) fn route() -> Route {
    Route::new("inference-submit", routes!(submit))
        .auth(Auth::Customer(Scope::Infer))
        .computes()
        .memory_mb(1024)
        .timeout(Duration::from_secs(29))
        .uses(DISPATCHES)
        .uses(&[
            Action::Call(PREPROCESS_FUNCTION),
            Action::Call(POSTPROCESS_FUNCTION),
            // what `preprocess` made, when it is large
            Action::DeleteBlobs,
        ])
}

#[derive(serde::Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Mode {
    /// Answer 202 at once and go on without the caller.
    #[serde(default, rename = "async")]
    run_async: bool,
}

/// Run one inference
///
/// Waits for the result up to `options.timeout`; then, or at once if asked, answers 202 and goes on.
#[utoipa::path(
    post,
    path = "/inference",
    tag = "Inference",
    params(
        Mode,
        ("X-Async" = Option<bool>, Header, description = "As `async`"),
        ("Prefer" = Option<String>, Header, description = "`respond-async` or `wait=SECONDS` (RFC 7240)"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeating the request with the same key runs nothing twice"),
    ),
    request_body = Request,
    responses((status = 200, body = Job), (status = 202, body = Accepted))
)]
async fn submit(
    State(app): State<App>,
    caller: Customer<scope::Infer>,
    IdempotencyKey(key): IdempotencyKey,
    Query(mode): Query<Mode>,
    headers: HeaderMap,
    body: Body<Request>,
) -> Result<Response> {
    let prefers = Preferences::read(&headers)?;
    let call = Call {
        customer: &caller.customer,
        body_hash: key.as_ref().map(|_| body.fingerprint()).unwrap_or_default(),
        idempotency_key: key.as_deref(),
        run_async: mode.run_async || prefers.run_async,
        wait_ms: prefers.wait_ms,
    };
    Ok(match inference::submit(&app, call, &body.value).await? {
        Submitted::Ended(job) => Json(job).into_response(),
        Submitted::Accepted(accepted) => (StatusCode::ACCEPTED, Json(accepted)).into_response(),
    })
}

/// How the caller wants to be answered, by headers.
struct Preferences {
    run_async: bool,
    wait_ms: Option<u64>,
}

impl Preferences {
    fn read(headers: &HeaderMap) -> std::result::Result<Self, Error> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let run_async = match text("x-async").map(str::trim) {
            None | Some("false" | "0") => false,
            Some("true" | "1") => true,
            Some(_) => return Err(Error::invalid("X-Async", "expected `true` or `false`")),
        };
        let mut preferences = Self { run_async, wait_ms: None };
        for preference in text("prefer").unwrap_or_default().split(',').map(str::trim) {
            if preference.eq_ignore_ascii_case("respond-async") {
                preferences.run_async = true;
            } else if let Some(seconds) = preference.strip_prefix("wait=") {
                let seconds: u64 = seconds.parse().map_err(|_| {
                    Error::invalid("Prefer", "expected wait=SECONDS, a whole number")
                })?;
                preferences.wait_ms = Some(seconds.saturating_mul(1000));
            }
        }
        Ok(preferences)
    }
}
