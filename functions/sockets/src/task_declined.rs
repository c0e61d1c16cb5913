//! A device does not take an attempt.

use std::sync::Arc;

use api::Route;
use ports::Action;
use protocol::socket::TaskDeclined;
use service::{App, Result, WORK_QUEUE, sessions::Connection, tasks};

pub(crate) fn route() -> Route {
    Route::message("socket-task-declined", "taskDeclined", task_declined).uses(&[
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

async fn task_declined(app: App, connection: Arc<Connection>, message: TaskDeclined) -> Result<()> {
    tasks::declined(&app, &connection, message).await
}
