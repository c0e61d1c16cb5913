//! Lambda's `Invoke`, running the suite's functions.
//! <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path},
    response::{IntoResponse, Response},
    routing::post,
};
use conformance::{FUNCTIONS, LIMIT, behave};
use ports::MAX_PAYLOAD;
use serde_json::json;

use super::http::Server;

/// A server of the functions, their names behind `prefix`.
pub(crate) async fn serve(prefix: &'static str) -> Server {
    let invoke = move |Path(name): Path<String>, payload: Bytes| invoke(prefix, name, payload);
    let router = Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .layer(DefaultBodyLimit::disable());
    Server::routes(router).await
}

async fn invoke(prefix: &str, name: String, payload: Bytes) -> Response {
    let known = FUNCTIONS.into_iter().find(|known| name.strip_prefix(prefix) == Some(known));
    let Some(function) = known else {
        let body = json!({"Type": "User", "Message": format!("Function not found: {name}")});
        return (
            http::StatusCode::NOT_FOUND,
            [("x-amzn-errortype", "ResourceNotFoundException")],
            Json(body),
        )
            .into_response();
    };
    let run = tokio::spawn(behave(function, payload));
    match tokio::time::timeout(LIMIT, run).await {
        Ok(Ok(Ok(answer))) if answer.len() <= MAX_PAYLOAD => answer.into_response(),
        Ok(Ok(Ok(_))) => failed(
            "Function.ResponseSizeTooLarge",
            "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        ),
        Ok(Ok(Err(error))) => failed("Error", &error.to_string()),
        Ok(Err(_panic)) => failed("Runtime.ExitError", "RequestId: 1 Error: Runtime exited"),
        Err(_elapsed) => failed("Sandbox.Timedout", "RequestId: 1 Error: Task timed out"),
    }
}

fn failed(kind: &str, message: &str) -> Response {
    let body = json!({"errorType": kind, "errorMessage": message});
    ([("x-amz-function-error", "Unhandled")], Json(body)).into_response()
}
