//! A result; the next parked work may go to the freed slot.

use std::sync::Arc;

use api::Route;
use ports::Action;
use protocol::socket::TaskDone;
use service::{App, Result, WORK_QUEUE, sessions::Connection, tasks};

pub(crate) fn route() -> Route {
    Route::message("socket-task-done", "taskDone", task_done).uses(&[
        Action::GetRecords,
        Action::QueryRecords,
        Action::WriteRecords,
        Action::DeleteRecords,
        Action::ReadBlobs,
        Action::WriteBlobs,
        Action::DeleteBlobs,
        Action::SendTo(WORK_QUEUE),
        Action::PostToSockets,
    ])
}

async fn task_done(app: App, connection: Arc<Connection>, message: TaskDone) -> Result<()> {
    tasks::done(&app, &connection, message).await
}
