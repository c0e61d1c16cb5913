//! The devices' socket: connecting, messages, disconnecting. What a device says is answered through
//! `@connections`; what is returned here only counts when it connects, where it lets in or refuses.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-keys-connect-disconnect.html>

use std::collections::HashMap;

use api::{Base, Connecting, OnConnect, OnDisconnect, OnMessage, socket};
use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use service::{App, Error};
use tracing::Instrument;

use crate::{
    Failure,
    function::{Answer, Kind},
};

/// What API Gateway brings, as far as it is read.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    request_context: RequestContext,
    /// Only when it connects, as the other side wrote them.
    #[serde(default)]
    headers: Option<HashMap<String, String>>,
    #[serde(default)]
    query_string_parameters: Option<HashMap<String, String>>,
    #[serde(default)]
    body: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    connection_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    status_code: u16,
}

impl Event {
    fn read(event: &str) -> Result<Self, Failure> {
        serde_json::from_str(event)
            .map_err(|cause| Failure::event("an event of a WebSocket API", cause))
    }

    /// The headers under names that are compared without regard to case.
    fn headers(&self) -> HeaderMap {
        let pair = |(name, value): (&String, &String)| {
            Some((name.parse::<HeaderName>().ok()?, value.parse::<HeaderValue>().ok()?))
        };
        self.headers.iter().flatten().filter_map(pair).collect()
    }
}

/// What is answered, and what counts as an error of ours.
fn answer(handled: &service::Result<()>) -> Result<Answer, Failure> {
    let status = match handled {
        Ok(()) => StatusCode::OK,
        Err(error) => api::Error::parts(error).0,
    };
    let answer = Answer::new(&Response { status_code: status.as_u16() })?;
    Ok(Answer { errors: u64::from(status.is_server_error()), ..answer })
}

/// Logs what is wrong with us: nobody else is told.
fn log(handled: &service::Result<()>, sentence: &'static str) {
    if let Err(Error::Internal(cause)) = handled {
        tracing::error!(%cause, "{sentence}");
    }
}

/// Lets a device in, or refuses it.
pub(crate) struct Connect {
    pub(crate) app: App,
    pub(crate) handler: OnConnect,
}

#[async_trait]
impl Kind for Connect {
    async fn handle(&self, event: &str) -> Result<Answer, Failure> {
        let event = Event::read(event)?;
        let headers = event.headers();
        let header = headers.get("x-api-key").and_then(|value| value.to_str().ok());
        let token = event.query_string_parameters.as_ref().and_then(|query| query.get("token"));
        let connection = event.request_context.connection_id;
        let span = tracing::info_span!("socket", connection.id = connection);
        let connecting = async {
            let secret = socket::secret(header, token.map(String::as_str))?;
            let base = Base::of(&self.app, &headers);
            let device = Connecting { connection, secret, base };
            (self.handler)(self.app.clone(), device).await
        };
        let handled = async {
            let handled = connecting.await;
            log(&handled, "a device could not be let in");
            handled
        };
        answer(&handled.instrument(span).await)
    }
}

/// Notes that a connection closed.
pub(crate) struct Disconnect {
    pub(crate) app: App,
    pub(crate) handler: OnDisconnect,
}

#[async_trait]
impl Kind for Disconnect {
    async fn handle(&self, event: &str) -> Result<Answer, Failure> {
        let connection = Event::read(event)?.request_context.connection_id;
        let span = tracing::info_span!("socket", connection.id = connection);
        let handled = async {
            let handled = (self.handler)(self.app.clone(), connection).await;
            log(&handled, "a closed connection could not be noted");
            handled
        };
        answer(&handled.instrument(span).await)
    }
}

/// Handles a device's message. The device is told what was wrong with it, by a message of its own.
pub(crate) struct Message {
    pub(crate) app: App,
    pub(crate) handler: OnMessage,
}

#[async_trait]
impl Kind for Message {
    async fn handle(&self, event: &str) -> Result<Answer, Failure> {
        let Event { request_context, body, .. } = Event::read(event)?;
        let connection = request_context.connection_id;
        let span = tracing::info_span!("socket", connection.id = connection);
        let frame = body.unwrap_or_default();
        let received = socket::receive(&self.app, &self.handler, &connection, frame);
        answer(&received.instrument(span).await)
    }
}
