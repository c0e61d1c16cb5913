//! Inference: submit, show, cancel.

mod cancel;
mod show;
mod submit;

use api::Route;

/// The functions of this area.
pub fn routes() -> Vec<Route> {
    vec![submit::route(), show::route(), cancel::route()]
}
