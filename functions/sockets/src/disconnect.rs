//! A socket closed. Best effort: it may come late, after the device is back on another connection.

use api::Route;
use ports::Action;
use service::{App, Result, SESSIONS_QUEUE, sessions};

pub(crate) fn route() -> Route {
    Route::disconnect("socket-disconnect", disconnect).uses(&[
        Action::GetRecords,
        Action::WriteRecords,
        Action::DeleteRecords,
        Action::SendTo(SESSIONS_QUEUE),
    ])
}

async fn disconnect(app: App, connection: String) -> Result<()> {
    sessions::disconnect(&app, &connection).await
}
