//! What needs an engine: reading model files, and the platform's own device. Kept apart, so that
//! functions without models to run do not carry one.

mod inspect;
mod own_device;

use api::Route;

pub use own_device::OwnDevice;

/// The functions of this area.
pub fn routes() -> Vec<Route> {
    vec![inspect::route()]
}
