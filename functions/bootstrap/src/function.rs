//! One function of the platform as Lambda sees it: an event comes in, an answer goes out, and a line
//! of metrics says how it went.

use std::sync::atomic::{AtomicBool, Ordering};

use api::{Entry, Route};
use async_trait::async_trait;
use lambda_runtime::LambdaEvent;
use serde::Serialize;
use serde_json::value::RawValue;
use service::App;
use tracing::Instrument;

use crate::{
    Failure,
    call::Call,
    feed::Feed,
    http::Http,
    metrics::Invocation,
    queue::Queue,
    socket::{Connect, Disconnect, Message},
    timer::Timer,
};

/// How a kind of event becomes a call of its handler.
#[async_trait]
pub(crate) trait Kind: Send + Sync {
    /// Handles one event, in JSON.
    async fn handle(&self, event: &str) -> Result<Answer, Failure>;
}

/// What a handled event came to.
pub(crate) struct Answer {
    /// What Lambda is told.
    pub(crate) response: Box<RawValue>,
    /// What did not go well although Lambda got an answer: an HTTP status of 500 and above, messages
    /// that come again.
    pub(crate) errors: u64,
    /// How long the oldest message of the batch had waited, in milliseconds.
    pub(crate) queue_age_ms: Option<u64>,
    /// How often the message of the batch that came most often was delivered.
    pub(crate) receives: Option<u64>,
}

impl Answer {
    /// An answer with this response.
    pub(crate) fn new(response: &impl Serialize) -> Result<Self, Failure> {
        let response = serde_json::value::to_raw_value(response).map_err(Failure::answer)?;
        Ok(Self::raw(response))
    }

    /// An answer whose response is JSON already.
    pub(crate) fn raw(response: Box<RawValue>) -> Self {
        Self { response, errors: 0, queue_age_ms: None, receives: None }
    }
}

/// A function, ready for events.
pub struct Function {
    name: &'static str,
    area: &'static str,
    stage: String,
    app: App,
    kind: Box<dyn Kind>,
    is_cold: AtomicBool,
}

impl Function {
    /// The function of a route in the deployment of this stage. It is given what it declares of `app`.
    pub fn new(route: &Route, app: &App, stage: &str) -> Self {
        let own = route.app(app);
        let kind: Box<dyn Kind> = match &route.entry {
            Entry::Http(_) => Box::new(Http::new(route, app)),
            Entry::Connect(handler) => Box::new(Connect { app: own, handler: handler.clone() }),
            Entry::Disconnect(handler) => {
                Box::new(Disconnect { app: own, handler: handler.clone() })
            }
            Entry::Message(_, handler) => Box::new(Message { app: own, handler: handler.clone() }),
            Entry::Queue(_, handler) => Box::new(Queue { app: own, handler: handler.clone() }),
            Entry::Feed(handler) => Box::new(Feed { app: own, handler: handler.clone() }),
            Entry::Timer(_, handler) => Box::new(Timer { app: own, handler: handler.clone() }),
            Entry::Call(handler) => Box::new(Call { app: own, handler: handler.clone() }),
        };
        Self {
            name: route.name,
            area: route.area(),
            stage: stage.to_owned(),
            app: app.clone(),
            kind,
            is_cold: AtomicBool::new(true),
        }
    }

    /// Handles one event: the answer, or what Lambda is to report as the function's error so that
    /// whoever sent the event tries again; and how it went.
    pub async fn handle(
        &self,
        event: LambdaEvent<Box<RawValue>>,
    ) -> (Result<Box<RawValue>, Failure>, Invocation<'_>) {
        let (payload, context) = event.into_parts();
        let clock = &*self.app.ports.clock;
        let begun_us = clock.now_us();
        let span = tracing::info_span!(
            "invocation",
            function = self.name,
            request.id = context.request_id,
        );
        let handled = self.kind.handle(payload.get()).instrument(span.clone()).await;
        if let Err(cause) = &handled {
            tracing::error!(parent: &span, %cause, "the function failed");
        }
        let (errors, queue_age, receives) = match &handled {
            Ok(answer) => (answer.errors, answer.queue_age_ms, answer.receives),
            Err(_) => (1, None, None),
        };
        let now_us = clock.now_us();
        let invocation = Invocation {
            now_ms: now_us / 1000,
            area: self.area,
            stage: &self.stage,
            function: self.name,
            count: 1,
            errors,
            latency: now_us.saturating_sub(begun_us) as f64 / 1000.0,
            cold_start: u8::from(self.is_cold.swap(false, Ordering::Relaxed)),
            queue_age,
            receives,
        };
        (handled.map(|answer| answer.response), invocation)
    }
}
