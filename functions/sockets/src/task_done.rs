//! A result; the next parked work may go to the freed slot.

use std::sync::Arc;

use api::Route;
use ports::Action;
use protocol::socket::TaskDone;
use service::{App, Result, jobs::DISPATCHES, sessions::Connection, tasks};

pub(crate) fn route() -> Route {
    Route::message("socket-task-done", "taskDone", task_done)
        .uses(DISPATCHES)
        .uses(&[Action::DeleteBlobs])
}

async fn task_done(app: App, connection: Arc<Connection>, message: TaskDone) -> Result<()> {
    tasks::done(&app, &connection, message).await
}
