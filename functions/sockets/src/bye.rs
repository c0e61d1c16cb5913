//! A device leaves; what it had goes to others at once.

use std::sync::Arc;

use api::Route;
use ports::Action;
use protocol::socket::Bye;
use service::{
    App, Result, WORK_QUEUE,
    sessions::{self, Connection},
};

pub(crate) fn route() -> Route {
    Route::message("socket-bye", "bye", bye).uses(&[
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

async fn bye(app: App, connection: Arc<Connection>, message: Bye) -> Result<()> {
    sessions::bye(&app, &connection, message).await
}
