//! Devices: list, statistics, show.

mod list;
mod show;
mod stats;

use api::Route;

/// The functions of this area.
pub fn routes() -> Vec<Route> {
    vec![list::route(), stats::route(), show::route()]
}
