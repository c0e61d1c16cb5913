//! Consumers of the queues; a message that fails comes again, and at last goes to the dead letters.

mod batches;
mod sessions;
mod uploads;
mod work;

use api::Route;

/// The functions of this area.
pub fn routes() -> Vec<Route> {
    vec![work::route(), batches::route(), sessions::route(), uploads::route()]
}
