//! A device says who it is; parked work may go to it at once.

use std::sync::Arc;

use api::Route;
use ports::Action;
use protocol::socket::Hello;
use service::{
    App, Result, SESSIONS_QUEUE,
    jobs::DISPATCHES,
    sessions::{self, Connection},
};

pub(crate) fn route() -> Route {
    Route::message("socket-hello", "hello", hello)
        .uses(DISPATCHES)
        .uses(&[Action::SendTo(SESSIONS_QUEUE)])
}

async fn hello(app: App, connection: Arc<Connection>, message: Hello) -> Result<()> {
    sessions::hello(&app, &connection, message).await
}
