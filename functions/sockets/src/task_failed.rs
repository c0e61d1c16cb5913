//! An attempt did not work.

use std::sync::Arc;

use api::Route;
use protocol::socket::TaskFailed;
use service::{App, Result, jobs::DISPATCHES, sessions::Connection, tasks};

pub(crate) fn route() -> Route {
    Route::message("socket-task-failed", "taskFailed", task_failed).uses(DISPATCHES)
}

async fn task_failed(app: App, connection: Arc<Connection>, message: TaskFailed) -> Result<()> {
    tasks::failed(&app, &connection, message).await
}
