//! The devices' WebSocket: what API Gateway is on AWS. It owns the connections, lets a function
//! decide who may connect, and gives every message to the function of its type.

use std::{collections::HashMap, sync::Arc, time::Duration};

use api::{
    Base, Connecting, Entry, Error, OnMessage, Query, Route,
    socket::{UNKNOWN, receive, secret, tell},
};
use axum::{
    Router,
    extract::{
        State, WebSocketUpgrade,
        ws::{Message, WebSocket, rejection::WebSocketUpgradeRejection},
    },
    http::HeaderMap,
    response::Response,
    routing::get,
};
use embedded::LocalSockets;
use futures::{SinkExt, StreamExt};
use protocol::socket;
use service::App;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The largest message of a device, in bytes, as API Gateway has it.
const MAX_MESSAGE: usize = 128 * 1024;

/// How much is read at once, in bytes. The buffer is zeroed before every read, so a large one costs
/// more than it saves.
const READ_BUFFER: usize = 8 * 1024;

/// A connection on which nothing happens for so long is closed, as API Gateway does.
const IDLE: Duration = Duration::from_secs(600);

/// So many pieces of batches of one device are looked at together.
const MAX_RESULTS: usize = 8;

/// Where a message says which task it is about, in bytes from its beginning.
const HEAD: usize = 128;

/// How long a device may take to read what was said to it before the platform ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// All that are open, to be closed when the platform ends.
#[derive(Clone, Default)]
pub(super) struct Connections {
    closing: CancellationToken,
    open: TaskTracker,
}

impl Connections {
    /// Closes them, and waits until it is noted that their devices are gone.
    pub(super) async fn close(&self) {
        self.closing.cancel();
        self.open.close();
        self.open.wait().await;
    }
}

#[derive(Clone)]
struct Gateway(Arc<Inner>);

struct Inner {
    app: App,
    connect: Function<api::OnConnect>,
    disconnect: Function<api::OnDisconnect>,
    messages: HashMap<&'static str, Function<OnMessage>>,
    unknown: Function<OnMessage>,
    sockets: Arc<LocalSockets>,
    connections: Connections,
}

/// A handler and the app that it is given.
type Function<T> = (App, T);

/// Serves `/ws`.
pub(super) fn router(
    app: &App,
    routes: &[Route],
    sockets: Arc<LocalSockets>,
    connections: &Connections,
) -> Router {
    let mut connect = None;
    let mut disconnect = None;
    let mut messages = HashMap::new();
    for route in routes {
        match &route.entry {
            Entry::Connect(handler) => connect = Some((route.app(app), handler.clone())),
            Entry::Disconnect(handler) => disconnect = Some((route.app(app), handler.clone())),
            Entry::Message(kind, handler) => {
                messages.insert(*kind, (route.app(app), handler.clone()));
            }
            _ => {}
        }
    }
    let unknown = messages.remove(UNKNOWN);
    let (Some(connect), Some(disconnect), Some(unknown)) = (connect, disconnect, unknown) else {
        unreachable!(
            "the registry has functions for connecting, disconnecting and unknown messages"
        )
    };
    let connections = connections.clone();
    let inner =
        Inner { app: app.clone(), connect, disconnect, messages, unknown, sockets, connections };
    let gateway = Gateway(Arc::new(inner));
    Router::new().route("/ws", get(upgrade)).with_state(gateway)
}

async fn upgrade(
    State(Gateway(gateway)): State<Gateway>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    socket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Error> {
    let socket = socket.map_err(|rejection| {
        let why = rejection.body_text();
        service::Error::invalid("Upgrade", format!("expected a WebSocket handshake: {why}"))
    })?;
    let header = headers.get("x-api-key").and_then(|value| value.to_str().ok());
    let secret = secret(header, query.get("token").map(String::as_str))?;
    let connection = gateway.app.ports.clock.id("conn");
    let base = Base::of(&gateway.app, &headers);
    let connecting = Connecting { connection: connection.clone(), secret, base };
    let (app, connect) = &gateway.connect;
    connect(app.clone(), connecting).await?;
    let upgrade = socket
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .read_buffer_size(READ_BUFFER);
    let open = gateway.connections.open.token();
    Ok(upgrade.on_upgrade(async move |socket| {
        serve(gateway, connection, socket).await;
        drop(open);
    }))
}

/// One connection, from its first message to its end.
async fn serve(gateway: Arc<Inner>, id: String, socket: WebSocket) {
    let mut outbox = gateway.sockets.open(&id);
    let (mut sink, mut stream) = socket.split();
    let mut writer = tokio::spawn(async move {
        while let Some(message) = outbox.recv().await {
            let mut next = Some(message);
            // what is ready goes out together
            while let Some(message) = next {
                sink.feed(Message::text(message)).await?;
                next = outbox.try_recv();
            }
            sink.flush().await?;
        }
        sink.close().await
    });
    let abort = writer.abort_handle();
    let read = async {
        let mut results = JoinSet::new();
        loop {
            match tokio::time::timeout(IDLE, stream.next()).await {
                Ok(Some(Ok(Message::Text(frame)))) => {
                    gateway.sockets.touch(&id);
                    if !is_of_batch(&frame) {
                        dispatch(&gateway, &id, frame.to_string()).await;
                        continue;
                    }
                    // a call's result does not wait until a piece of a batch is stored and the next is cut
                    if results.len() >= MAX_RESULTS {
                        results.join_next().await;
                    }
                    let (gateway, id) = (gateway.clone(), id.clone());
                    results.spawn(async move {
                        dispatch(&gateway, &id, frame.to_string()).await;
                    });
                    while results.try_join_next().is_some() {}
                }
                Ok(Some(Ok(Message::Binary(_)))) => {
                    let error = service::Error::invalid("frame", "send text frames with JSON");
                    tell(&gateway.app, &id, &error).await;
                }
                Ok(Some(Ok(_))) => gateway.sockets.touch(&id),
                Ok(Some(Err(_)) | None) | Err(_) => break,
            }
        }
        while results.join_next().await.is_some() {}
    };
    tokio::select! {
        () = read => {}
        // the platform closed it, or nothing can be written any more
        _ = &mut writer => {}
        () = gateway.connections.closing.cancelled() => part(&gateway, &id, &mut writer).await,
    }
    abort.abort();
    let (app, disconnect) = &gateway.disconnect;
    if let Err(cause) = disconnect(app.clone(), id).await {
        tracing::error!(%cause, "a closed connection could not be noted");
    }
}

/// Says to the end what is being said, such as that a result has arrived, and then closes.
async fn part<T>(gateway: &Inner, id: &str, writer: &mut JoinHandle<T>) {
    if let Err(cause) = gateway.app.ports.sockets.close(id).await {
        tracing::debug!(%cause, connection.id = id, "a connection could not be closed");
    }
    // one that does not read is cut off
    let _ = tokio::time::timeout(FAREWELL, writer).await;
}

/// Whether a message is the end of a piece of a batch. Such may overtake each other, as all messages do
/// behind API Gateway; they take longer than those that somebody waits for.
fn is_of_batch(frame: &str) -> bool {
    let is_end =
        socket::kind(frame).is_some_and(|kind| matches!(&*kind, "taskDone" | "taskFailed"));
    // as our devices write it; of any other way of writing nothing is lost but time
    is_end && frame.get(..HEAD).unwrap_or(frame).contains(r#""task_id":"batch_"#)
}

/// One message: to the function of its type.
async fn dispatch(gateway: &Inner, id: &str, frame: String) {
    let kind = socket::kind(&frame);
    let known = kind.and_then(|kind| gateway.messages.get(&*kind));
    let (app, handler) = known.unwrap_or(&gateway.unknown);
    // the device was told what was wrong
    let _ = receive(app, handler, id, frame).await;
}
