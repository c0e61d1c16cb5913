//! Timers.

mod sweep;
mod uploads;

use api::Route;

/// The functions of this area that need no engine.
pub fn routes() -> Vec<Route> {
    vec![uploads::route()]
}

/// Those that may run a model themselves.
pub fn computing_routes() -> Vec<Route> {
    vec![sweep::route()]
}
