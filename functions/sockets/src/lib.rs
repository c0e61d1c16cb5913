//! The devices' socket: connecting, one file per message, disconnecting.

mod bye;
mod connect;
mod disconnect;
mod heartbeat;
mod hello;
mod logs;
mod task_declined;
mod task_done;
mod task_failed;

use api::Route;

/// The functions of this area.
pub fn routes() -> Vec<Route> {
    vec![
        connect::route(),
        disconnect::route(),
        hello::route(),
        heartbeat::route(),
        task_done::route(),
        task_failed::route(),
        task_declined::route(),
        logs::route(),
        bye::route(),
    ]
}
