//! A job that nobody attends wants a device, or all that wait in one place do.

use std::time::Duration;

use api::Route;
use ports::Action;
use serde_json::Value;
use service::{
    App, Error, Result, WORK_QUEUE,
    jobs::{self, DISPATCHES},
    parked,
};

pub(crate) fn route() -> Route {
    Route::queue("queue-work", WORK_QUEUE, work)
        .computes()
        .memory_mb(1024)
        .timeout(Duration::from_secs(60))
        .uses(DISPATCHES)
        .uses(&[Action::ReceiveFrom(WORK_QUEUE)])
}

async fn work(app: App, body: Value) -> Result<()> {
    match (body["job"].as_str(), body["waiting"].as_str()) {
        (Some(job), _) => jobs::dispatch(&app, job).await,
        (None, Some(scope)) => parked::look(&app, scope).await,
        (None, None) => Err(Error::internal(format!("no job in {body}"))),
    }
}
