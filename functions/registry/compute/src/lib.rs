//! The functions that run models, or what goes with them: engine, decoders, tokenizers, schemas. What
//! the compute program is linked from is decided here.

use api::Route;

/// All of [`Bundle::Compute`](api::Bundle::Compute), area by area.
pub fn routes() -> Vec<Route> {
    [
        models::computing_routes(),
        inference_routes::computing_routes(),
        queues::computing_routes(),
        schedules::computing_routes(),
        compute::routes(),
        adapter_routes::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
