//! A device does not take an attempt.

use std::sync::Arc;

use api::Route;
use protocol::socket::TaskDeclined;
use service::{App, Result, jobs::DISPATCHES, sessions::Connection, tasks};

pub(crate) fn route() -> Route {
    Route::message("socket-task-declined", "taskDeclined", task_declined).uses(DISPATCHES)
}

async fn task_declined(app: App, connection: Arc<Connection>, message: TaskDeclined) -> Result<()> {
    tasks::declined(&app, &connection, message).await
}
