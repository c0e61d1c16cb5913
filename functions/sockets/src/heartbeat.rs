//! A device is alive; parked work may go to its free slots.

use std::sync::Arc;

use api::Route;
use ports::Action;
use protocol::socket::Heartbeat;
use service::{
    App, Result, WORK_QUEUE,
    sessions::{self, Connection},
};

pub(crate) fn route() -> Route {
    Route::message("socket-heartbeat", "heartbeat", heartbeat).uses(&[
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

async fn heartbeat(app: App, connection: Arc<Connection>, message: Heartbeat) -> Result<()> {
    sessions::heartbeat(&app, &connection, message).await
}
