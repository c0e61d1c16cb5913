//! The devices' socket: one file per message. Connecting and disconnecting are the gateway's calls.

mod bye;
mod heartbeat;
mod hello;
mod task_declined;
mod task_done;
mod task_failed;

use api::Route;

/// The functions of this area.
pub fn routes() -> Vec<Route> {
    vec![
        hello::route(),
        heartbeat::route(),
        task_done::route(),
        task_failed::route(),
        task_declined::route(),
        bye::route(),
    ]
}
