//! Consumers of the queues; a message that fails comes again, and at last goes to the dead letters.

mod batches;
mod sessions;
mod uploads;
mod work;

use api::Route;

/// The functions of this area that need no engine.
pub fn routes() -> Vec<Route> {
    vec![uploads::route()]
}

/// Those that may run a model themselves, or read inputs, whose schemas they compile.
pub fn computing_routes() -> Vec<Route> {
    vec![work::route(), batches::route(), sessions::route()]
}
