//! A device whose socket closed a moment ago: is it back, or is its work to be given to others? And
//! one that connected a while ago: is it still there?

use std::time::Duration;

use api::Route;
use ports::Action;
use serde_json::Value;
use service::{App, Error, Result, SESSIONS_QUEUE, jobs::DISPATCHES, sessions, sweep};

pub(crate) fn route() -> Route {
    Route::queue("queue-sessions", SESSIONS_QUEUE, look)
        .computes()
        .memory_mb(1024)
        .timeout(Duration::from_secs(60))
        .uses(DISPATCHES)
        .uses(&[Action::ReceiveFrom(SESSIONS_QUEUE), Action::SendTo(SESSIONS_QUEUE)])
}

async fn look(app: App, body: Value) -> Result<()> {
    let device =
        body["device"].as_str().ok_or_else(|| Error::internal(format!("no device in {body}")))?;
    match body["connection"].as_str() {
        None => sweep::device(&app, device).await,
        Some(connection) => sessions::look_again(&app, device, connection).await,
    }
}
