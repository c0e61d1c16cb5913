//! An HTTP request: payload format 2.0 of API Gateway's HTTP APIs, handled by the route's own axum
//! handler within the same layers as on one machine. `lambda_http` translates, base64 included.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::sync::atomic::{AtomicBool, Ordering};

use api::Route;
use async_trait::async_trait;
use axum::Router;
use lambda_http::{
    Adapter, Request, aws_lambda_events::apigw::ApiGatewayV2httpRequest, request::LambdaRequest,
};
use lambda_runtime::{Context, LambdaEvent, Service};
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
    async fn handle(&self, event: &str, context: Context) -> Result<Answer, Failure> {
        let mut request: ApiGatewayV2httpRequest = serde_json::from_str(event)
            .map_err(|cause| Failure::event("a request of an HTTP API, format 2.0", cause))?;
        unstage(&mut request);
        let has_failed = AtomicBool::new(false);
        let route = |request: Request| async {
            let response = self.router.clone().oneshot(request).await;
            let is_ours = response.as_ref().is_ok_and(|answer| answer.status().is_server_error());
            has_failed.store(is_ours, Ordering::Relaxed);
            response
        };
        let event = LambdaEvent::new(LambdaRequest::ApiGatewayV2(request), context);
        let answering = Adapter::from(tower::service_fn(route)).call(event);
        let Ok(response) = answering.await;
        let answer = Answer::new(&response)?;
        Ok(Answer { errors: u64::from(has_failed.load(Ordering::Relaxed)), ..answer })
    }
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
    use super::*;

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
