//! A device is alive; parked work may go to its free slots.

use std::sync::Arc;

use api::Route;
use protocol::socket::Heartbeat;
use service::{
    App, Result,
    jobs::DISPATCHES,
    sessions::{self, Connection},
};

pub(crate) fn route() -> Route {
    Route::message("socket-heartbeat", "heartbeat", heartbeat).uses(DISPATCHES)
}

async fn heartbeat(app: App, connection: Arc<Connection>, message: Heartbeat) -> Result<()> {
    sessions::heartbeat(&app, &connection, message).await
}
