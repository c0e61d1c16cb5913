//! The API described: the OpenAPI document, and a page that shows it.

mod openapi;
mod page;

use api::Route;

/// The functions of this area.
pub fn routes() -> Vec<Route> {
    vec![openapi::route(), page::route()]
}
