//! Every function of the platform. A new area is one line here; a new function is one line in its
//! area.

use api::Route;

/// All functions, area by area.
pub fn routes() -> Vec<Route> {
    [
        health::routes(),
        models::routes(),
        inference_routes::routes(),
        devices::routes(),
        admin::routes(),
        docs::routes(),
        compute::routes(),
        adapter_routes::routes(),
        sockets::routes(),
        queues::routes(),
        feed::routes(),
        schedules::routes(),
    ]
    .concat()
}

/// The OpenAPI document of all HTTP routes, as it is checked in.
pub fn openapi() -> String {
    let document = api::document(&routes(), env!("CARGO_PKG_VERSION"));
    let mut text = document.to_pretty_json().expect("a document of plain text is valid JSON");
    text.push('\n');
    text
}
