//! A batch is looked after: more of it is cut, what ended of it is counted.

use std::time::Duration;

use api::Route;
use ports::Action;
use serde_json::Value;
use service::{
    App, BATCH_QUEUE, Error, PREPROCESS_FUNCTION, Result,
    batch::{self, Wake},
    jobs::DISPATCHES,
};

pub(crate) fn route() -> Route {
    Route::queue("queue-batches", BATCH_QUEUE, look)
        .computes()
        .memory_mb(1024)
        .timeout(Duration::from_secs(60))
        .uses(DISPATCHES)
        .uses(&[
            Action::ReceiveFrom(BATCH_QUEUE),
            // of a chunk that somebody else had cut
            Action::DeleteBlobs,
            Action::Call(PREPROCESS_FUNCTION),
        ])
}

async fn look(app: App, body: Value) -> Result<()> {
    let wake: Wake = serde_json::from_value(body).map_err(Error::internal)?;
    batch::advance(&app, wake).await
}
