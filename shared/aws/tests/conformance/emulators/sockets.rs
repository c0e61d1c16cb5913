//! API Gateway's `@connections`.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html>

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use ::http::StatusCode;
use async_trait::async_trait;
use aws_smithy_types::{DateTime, date_time::Format};
use axum::{
    Json, Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::get,
};
use conformance::Peer;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::http;

/// The open connections.
#[derive(Clone, Default)]
pub(crate) struct Server(Arc<Mutex<Connections>>);

#[derive(Default)]
struct Connections {
    opened: u64,
    open: HashMap<String, Connection>,
}

struct Connection {
    outbox: UnboundedSender<String>,
    active: SystemTime,
}

impl Server {
    pub(crate) async fn serve(&self) -> http::Server {
        let connection = get(look).post(post).delete(close);
        let router = Router::new().route("/{stage}/{at}/{id}", connection).with_state(self.clone());
        http::Server::routes(router).await
    }

    /// A new connection; the id has a character that must be escaped, as API Gateway's have.
    pub(crate) fn connect(&self) -> Device {
        let mut connections = self.0.lock().unwrap();
        connections.opened += 1;
        let id = format!("L0SM9cOFvHcCI{}=", connections.opened);
        let (outbox, inbox) = unbounded_channel();
        connections.open.insert(id.clone(), Connection { outbox, active: now() });
        Device { id, inbox }
    }

    /// What `then` does with an open connection; one whose device went away is open no more.
    fn with(&self, id: &str, then: impl FnOnce(&mut Connection) -> Response) -> Response {
        let mut connections = self.0.lock().unwrap();
        connections.open.retain(|_, connection| !connection.outbox.is_closed());
        connections.open.get_mut(id).map_or_else(gone, then)
    }
}

#[allow(clippy::disallowed_methods, reason = "a server has a clock of its own")]
fn now() -> SystemTime {
    SystemTime::now()
}

fn gone() -> Response {
    let kind = [("x-amzn-errortype", "GoneException")];
    (StatusCode::GONE, kind, Json(json!({"message": Value::Null}))).into_response()
}

type Target = (String, String, String);

async fn post(
    State(server): State<Server>,
    Path((_, _, id)): Path<Target>,
    message: String,
) -> Response {
    server.with(&id, |connection| {
        connection.active = now();
        connection.outbox.send(message).map_or_else(|_| gone(), |()| StatusCode::OK.into_response())
    })
}

async fn look(State(server): State<Server>, Path((_, _, id)): Path<Target>) -> Response {
    server.with(&id, |connection| {
        let active = DateTime::from(connection.active).fmt(Format::DateTime).unwrap();
        Json(json!({"connectedAt": active, "lastActiveAt": active})).into_response()
    })
}

async fn close(State(server): State<Server>, Path((_, _, id)): Path<Target>) -> Response {
    let closed = server.0.lock().unwrap().open.remove(&id);
    closed.map_or_else(gone, |_| StatusCode::NO_CONTENT.into_response())
}

/// A device's end.
pub(crate) struct Device {
    id: String,
    inbox: UnboundedReceiver<String>,
}

#[async_trait]
impl Peer for Device {
    fn id(&self) -> &str {
        &self.id
    }

    async fn recv(&mut self) -> Option<String> {
        self.inbox.recv().await
    }
}
