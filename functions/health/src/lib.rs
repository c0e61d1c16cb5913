//! Is the platform well.

mod basic;
mod detailed;

use api::Route;

/// The functions of this area.
pub fn routes() -> Vec<Route> {
    vec![basic::route(), detailed::route()]
}
