//! A device says who it is; parked work may go to it at once.

use std::sync::Arc;

use api::Route;
use ports::Action;
use protocol::socket::Hello;
use service::{
    App, Result, SESSIONS_QUEUE, WORK_QUEUE,
    sessions::{self, Connection},
};

pub(crate) fn route() -> Route {
    Route::message("socket-hello", "hello", hello).uses(&[
        Action::GetRecords,
        Action::QueryRecords,
        Action::WriteRecords,
        Action::DeleteRecords,
        Action::ReadBlobs,
        Action::WriteBlobs,
        Action::SendTo(WORK_QUEUE),
        Action::SendTo(SESSIONS_QUEUE),
        Action::PostToSockets,
    ])
}

async fn hello(app: App, connection: Arc<Connection>, message: Hello) -> Result<()> {
    sessions::hello(&app, &connection, message).await
}
