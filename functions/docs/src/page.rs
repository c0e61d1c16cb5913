//! `GET /docs`

use api::{Route, routes};
use axum::response::Html;

pub(crate) fn route() -> Route {
    Route::new("docs-page", routes!(page))
}

/// A page that shows the OpenAPI document
#[utoipa::path(
    get,
    path = "/docs",
    tag = "Docs",
    responses((status = 200, content_type = "text/html", description = "For people"))
)]
async fn page() -> Html<&'static str> {
    Html(include_str!("docs.html"))
}
