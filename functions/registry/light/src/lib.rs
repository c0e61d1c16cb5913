//! The functions that need no engine. What the light program is linked from is decided here: it has
//! these handlers and what they reach, so it starts faster and weighs a third.

use api::Route;

/// All of [`Bundle::Light`](api::Bundle::Light), area by area.
pub fn routes() -> Vec<Route> {
    [
        health::routes(),
        models::routes(),
        dataset_routes::routes(),
        inference_routes::routes(),
        devices::routes(),
        admin::routes(),
        docs::routes(),
        sockets::routes(),
        queues::routes(),
        feed::routes(),
        schedules::routes(),
    ]
    // moved and not cloned: every start of a function comes through here
    .into_iter()
    .flatten()
    .collect()
}
