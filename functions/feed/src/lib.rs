//! Consumers of the change feed.

mod fold;

use api::Route;

/// The functions of this area.
pub fn routes() -> Vec<Route> {
    vec![fold::route()]
}
