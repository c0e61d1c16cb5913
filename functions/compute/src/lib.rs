//! What needs an engine: reading files of models and datasets, and the platform's own device. Kept apart, so that
//! functions without models to run do not carry one.

mod dataset;
mod file;
mod model;
mod own_device;
mod room;
mod thread;

use api::Route;

pub use own_device::OwnDevice;

/// The functions of this area.
pub fn routes() -> Vec<Route> {
    vec![model::route(), dataset::route()]
}
