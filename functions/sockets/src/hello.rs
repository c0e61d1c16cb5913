//! A device says who it is; parked work may go to it at once.

use std::sync::Arc;

use api::Route;
use protocol::socket::Hello;
use service::{
    App, Result,
    jobs::DISPATCHES,
    sessions::{self, Connection},
};

pub(crate) fn route() -> Route {
    Route::message("socket-hello", "hello", hello).uses(DISPATCHES)
}

async fn hello(app: App, connection: Arc<Connection>, message: Hello) -> Result<()> {
    sessions::hello(&app, &connection, message).await
}
