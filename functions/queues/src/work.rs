//! A job that nobody attends wants a device.

use std::time::Duration;

use api::Route;
use ports::Action;
use serde_json::Value;
use service::{
    App, Error, Result, WORK_QUEUE,
    jobs::{self, DISPATCHES},
};

pub(crate) fn route() -> Route {
    Route::queue("queue-work", WORK_QUEUE, work)
        .memory_mb(1024)
        .timeout(Duration::from_secs(60))
        .uses(DISPATCHES)
        .uses(&[Action::ReceiveFrom(WORK_QUEUE)])
}

async fn work(app: App, body: Value) -> Result<()> {
    let job = body["job"].as_str().ok_or_else(|| Error::internal(format!("no job in {body}")))?;
    jobs::dispatch(&app, job).await
}
