//! Every area whose crate carries no engine. What a program is linked from is decided here: one
//! made of these areas alone starts faster and weighs a third.

use api::Route;

/// Their functions, area by area. Some of them are given an engine where there is one, and belong
/// to the other program: see [`Bundle`](api::Bundle).
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
