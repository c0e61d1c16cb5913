//! Timers.

mod sweep;

use api::Route;

/// The functions of this area.
pub fn routes() -> Vec<Route> {
    vec![sweep::route()]
}
