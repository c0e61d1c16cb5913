//! Inference: single ones and batches.

mod batch;
mod cancel;
mod list;
mod results;
mod show;
mod submit;

use api::Route;

/// The functions of this area.
pub fn routes() -> Vec<Route> {
    vec![
        submit::route(),
        batch::route(),
        list::route(),
        show::route(),
        results::route(),
        cancel::route(),
    ]
}
