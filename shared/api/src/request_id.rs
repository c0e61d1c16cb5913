//! Every request has an id: in the log, in error bodies, and in the header `x-request-id`.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderValue, header::HeaderName};
use service::App;

tokio::task_local! {
    static CURRENT: String;
}

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of the request that this task handles.
pub(crate) fn current() -> String {
    CURRENT.try_with(Clone::clone).unwrap_or_default()
}

/// Gives the request an id.
pub(crate) async fn assign(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = app.ports.clock.id("req");
    let header = HeaderValue::from_str(&id);
    if let Ok(header) = &header {
        // for handlers that know nothing of this crate
        request.headers_mut().insert(HEADER, header.clone());
    }
    let mut response = CURRENT.scope(id, next.run(request)).await;
    if let Ok(header) = header {
        response.headers_mut().insert(HEADER, header);
    }
    response
}
