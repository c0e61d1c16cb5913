//! Before and behind a model: the functions that carry decoders, tokenizers and an engine for the
//! adapters' arithmetic, so that no other function does.

mod kept;
mod postprocess;
mod preprocess;

use api::Route;

/// The functions of this area.
pub fn routes() -> Vec<Route> {
    vec![preprocess::route(), postprocess::route()]
}
