//! All HTTP routes in one server, for a platform on one machine, and the layers around whatever it
//! serves.

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{Method, Uri},
    middleware,
    response::{IntoResponse, Response},
};
use service::App;
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::{Any, CorsLayer},
};

use crate::{BASE_PATH, Entry, Error, Route, drain, request_id};

/// Mounts the routes under [`BASE_PATH`], and at the root those that answer there too. `beside` is
/// what the server has beside the API; it keeps the same manners.
pub fn router(app: &App, routes: &[Route], beside: Router) -> Router {
    let mut router = beside;
    for route in routes {
        let Entry::Http(http) = &route.entry else { continue };
        let (path, handler) = (&http.path, http.handler.clone().with_state(route.app(app)));
        if AT_ROOT.contains(&path.as_str()) {
            router = router.route(path, handler.clone());
        }
        router = router.route(&format!("{BASE_PATH}{path}"), handler);
    }
    router
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        // each body has its own limit, by what it is
        .layer(
            ServiceBuilder::new()
                .layer(middleware::map_request(async |request| drain::unread_rest(request)))
                .layer(middleware::from_fn_with_state(app.clone(), request_id::assign))
                .layer(cors())
                .layer(CatchPanicLayer::custom(panicked))
                .layer(DefaultBodyLimit::disable()),
        )
}

/// What answers at the root too, for probes and people.
pub const AT_ROOT: [&str; 4] = ["/health", "/health/detailed", "/openapi.json", "/docs"];

fn cors() -> CorsLayer {
    // keys travel in headers, never in cookies, so any page may call on behalf of who holds a key
    let layer = CorsLayer::new().allow_origin(Any).allow_methods(Any).allow_headers(Any);
    // what is allowed is the same for all, so no answer varies by who asks
    layer.expose_headers(Any).vary([])
}

async fn not_found(uri: Uri) -> Error {
    let message = format!(
        "nothing is served at {}; GET /openapi.json lists every path, GET /docs shows them",
        uri.path()
    );
    service::Error::NotFound(message).into()
}

async fn method_not_allowed(method: Method, uri: Uri) -> Error {
    let message =
        format!("{method} is not served at {}; GET /openapi.json lists what is", uri.path());
    service::Error::MethodNotAllowed(message).into()
}

fn panicked(cause: Box<dyn std::any::Any + Send>) -> Response {
    let text = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message");
    Error::from(service::Error::internal(format!("panicked: {text}"))).into_response()
}
