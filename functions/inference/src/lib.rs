//! Inference: single ones and batches.

mod batch;
mod cancel;
mod list;
mod results;
mod show;
mod submit;

use api::Route;

/// The functions of this area that need no engine.
pub fn routes() -> Vec<Route> {
    vec![batch::route(), list::route(), show::route(), results::route(), cancel::route()]
}

/// Those that may run a model themselves.
pub fn computing_routes() -> Vec<Route> {
    vec![submit::route()]
}
