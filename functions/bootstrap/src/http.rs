//! An HTTP request: payload format 2.0 of API Gateway's HTTP APIs, handled by the route's own axum
//! handler within the same layers as on one machine. `lambda_http` translates requests. Answers are
//! translated here: its way of that carries the tables of every character set, and all we say is UTF-8.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use api::Route;
use async_trait::async_trait;
use axum::{Router, body, response::Response};
use lambda_http::{
    Body, Request,
    aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse},
    request::LambdaRequest,
};
use service::App;
use tower::ServiceExt;

use crate::{
    Failure,
    function::{Answer, Kind},
};

/// The stage whose name is not in the paths.
const DEFAULT_STAGE: &str = "$default";

pub(crate) struct Http {
    router: Router,
}

impl Http {
    pub(crate) fn new(route: &Route, app: &App) -> Self {
        Self { router: api::router(app, std::slice::from_ref(route), Router::new()) }
    }
}

#[async_trait]
impl Kind for Http {
    async fn handle(&self, event: &str) -> Result<Answer, Failure> {
        let mut request: ApiGatewayV2httpRequest = serde_json::from_str(event)
            .map_err(|cause| Failure::event("a request of an HTTP API, format 2.0", cause))?;
        unstage(&mut request);
        let request = Request::from(LambdaRequest::ApiGatewayV2(request));
        let Ok(response) = self.router.clone().oneshot(request).await;
        let errors = u64::from(response.status().is_server_error());
        Ok(Answer { errors, ..Answer::new(&translated(response).await?)? })
    }
}

/// The answer as API Gateway reads it: what is no text is in base64.
async fn translated(response: Response) -> Result<ApiGatewayV2httpResponse, Failure> {
    let (head, body) = response.into_parts();
    let bytes = body::to_bytes(body, usize::MAX).await.map_err(Failure::answer)?;
    let body = match String::from_utf8(bytes.into()) {
        Ok(text) => Body::Text(text),
        Err(bytes) => Body::Binary(bytes.into_bytes()),
    };
    let mut answer = ApiGatewayV2httpResponse::default();
    answer.status_code = head.status.as_u16().into();
    answer.headers = head.headers;
    answer.is_base64_encoded = matches!(body, Body::Binary(_));
    answer.body = Some(body);
    Ok(answer)
}

/// Takes the stage's name out of the path: `/prod/api/v1/health` of the stage `prod`.
fn unstage(request: &mut ApiGatewayV2httpRequest) {
    let stage = request.request_context.stage.replace(DEFAULT_STAGE.to_owned());
    let (Some(stage), Some(path)) = (stage, &mut request.raw_path) else { return };
    let rest = path.strip_prefix('/').and_then(|path| path.strip_prefix(&stage));
    if let Some(rest) = rest.filter(|rest| rest.starts_with('/')) {
        *path = rest.to_owned();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use axum::response::IntoResponse;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn an_answer_is_text_where_it_can_be() {
        for (said, body, is_base64) in [
            ("ä".as_bytes().to_vec(), "ä", false),
            (Vec::new(), "", false),
            (vec![0xff, 0], "/wA=", true),
        ] {
            let response = (http::StatusCode::CREATED, [("x-a", "b")], said).into_response();
            let answer = serde_json::to_value(translated(response).await.unwrap()).unwrap();
            assert_eq!(answer["statusCode"], 201);
            assert_eq!(answer["headers"]["x-a"], "b");
            assert_eq!(
                (&answer["body"], &answer["isBase64Encoded"]),
                (&json!(body), &json!(is_base64))
            );
        }
    }

    #[test]
    fn the_path_is_without_the_stage() {
        for (stage, path, expected) in [
            ("$default", "/api/v1/health", "/api/v1/health"),
            ("prod", "/prod/api/v1/health", "/api/v1/health"),
            // a mapped domain leaves it out
            ("prod", "/api/v1/health", "/api/v1/health"),
            ("api", "/apis", "/apis"),
        ] {
            let mut request = ApiGatewayV2httpRequest::default();
            request.request_context.stage = Some(stage.to_owned());
            request.raw_path = Some(path.to_owned());
            unstage(&mut request);
            assert_eq!(request.raw_path.as_deref(), Some(expected), "{path} of {stage}");
            assert_eq!(request.request_context.stage.as_deref(), Some("$default"));
        }
    }
}
