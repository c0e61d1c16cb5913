//! Inference: submit, show, cancel.

mod cancel;
mod show;
mod submit;

use api::Route;

/// The functions of this area that need no engine.
pub fn routes() -> Vec<Route> {
    vec![show::route(), cancel::route()]
}

/// Those that may run a model themselves.
pub fn computing_routes() -> Vec<Route> {
    vec![submit::route()]
}
