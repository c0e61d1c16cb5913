//! A device answers when its owner asked for its log.

use std::sync::Arc;

use api::Route;
use ports::Action;
use protocol::socket::Logs;
use service::{App, Result, devices, sessions::Connection};

pub(crate) fn route() -> Route {
    Route::message("socket-logs", "logs", logs).uses(&[Action::GetRecords, Action::WriteRecords])
}

async fn logs(app: App, connection: Arc<Connection>, message: Logs) -> Result<()> {
    devices::logs::answered(&app, &connection, message).await
}
