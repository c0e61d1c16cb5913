//! An attempt did not work.

use std::sync::Arc;

use api::Route;
use ports::Action;
use protocol::socket::TaskFailed;
use service::{App, Result, WORK_QUEUE, sessions::Connection, tasks};

pub(crate) fn route() -> Route {
    Route::message("socket-task-failed", "taskFailed", task_failed).uses(&[
        Action::GetRecords,
        Action::QueryRecords,
        Action::WriteRecords,
        Action::DeleteRecords,
        Action::ReadBlobs,
        Action::WriteBlobs,
        Action::SendTo(WORK_QUEUE),
        Action::PostToSockets,
    ])
}

async fn task_failed(app: App, connection: Arc<Connection>, message: TaskFailed) -> Result<()> {
    tasks::failed(&app, &connection, message).await
}
