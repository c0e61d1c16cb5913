//! Timers.

mod sweep;
mod uploads;

use api::Route;

/// The functions of this area.
pub fn routes() -> Vec<Route> {
    vec![sweep::route(), uploads::route()]
}
