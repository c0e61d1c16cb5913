//! Devices: list, statistics, show, logs, drain.

mod drain;
mod list;
mod logs;
mod logs_show;
mod show;
mod stats;

use api::Route;

/// The functions of this area.
pub fn routes() -> Vec<Route> {
    vec![
        list::route(),
        stats::route(),
        show::route(),
        logs::route(),
        logs_show::route(),
        drain::route(),
    ]
}
