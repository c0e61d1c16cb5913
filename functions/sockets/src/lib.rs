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

use api::{Entry, Route};

/// The functions of this area.
pub fn routes() -> Vec<Route> {
    let mut routes = vec![
        connect::route(),
        disconnect::route(),
        hello::route(),
        heartbeat::route(),
        task_done::route(),
        task_failed::route(),
        task_declined::route(),
        logs::route(),
        bye::route(),
    ];
    let known = routes.iter().filter_map(|route| match route.entry {
        Entry::Message(kind, _) => Some(kind),
        _ => None,
    });
    let known = known.collect();
    routes.push(Route::unknown("socket-unknown", known));
    routes
}
