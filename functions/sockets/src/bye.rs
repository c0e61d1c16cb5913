//! A device leaves; what it had goes to others at once.

use std::sync::Arc;

use api::Route;
use protocol::socket::Bye;
use service::{
    App, Result,
    jobs::DISPATCHES,
    sessions::{self, Connection},
};

pub(crate) fn route() -> Route {
    Route::message("socket-bye", "bye", bye).uses(DISPATCHES)
}

async fn bye(app: App, connection: Arc<Connection>, message: Bye) -> Result<()> {
    sessions::bye(&app, &connection, message).await
}
