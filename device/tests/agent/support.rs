//! The platform's side of the protocol, played by the test: a real socket and real files.

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{
        Path as Param, State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::{HeaderMap, StatusCode, Uri, header::LOCATION},
    response::{IntoResponse, Response},
    routing::get,
};
use dcmp_device::{Agent, Config, Error, InstanceType, Journal, Share, Stop, Summary, Timings};
use protocol::{
    socket::{
        Blob, Hello, ModelRef, Payload, TaskAck, TaskCancel, TaskDone, TaskRun, Welcome, encode,
        kind,
    },
    tensor::Named,
};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
    time::timeout,
};

#[path = "../../../shared/inference/tests/support/mod.rs"]
pub(crate) mod onnx;

/// Not a time that is asserted: only that a broken test ends.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const KEY: &str = "test-api-key";
pub(crate) const TOKEN: &str = "session-1";

pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("nothing happened for 30 s")
}

#[derive(Clone, Default)]
pub(crate) struct Files(Arc<Mutex<HashMap<String, Bytes>>>);

impl Files {
    pub(crate) fn set(&self, name: &str, bytes: impl Into<Bytes>) {
        self.0.lock().unwrap().insert(name.to_owned(), bytes.into());
    }

    pub(crate) fn get(&self, name: &str) -> Option<Bytes> {
        self.0.lock().unwrap().get(name).cloned()
    }
}

/// An HTTP request that the platform saw: method and path, and the session token it showed.
pub(crate) type Seen = (String, Option<String>);

#[derive(Clone)]
struct App {
    files: Files,
    seen: Arc<Mutex<Vec<Seen>>>,
    sockets: mpsc::UnboundedSender<WebSocket>,
    /// Files whose names begin with `gated` are given when this is notified.
    gate: Arc<Notify>,
}

/// A platform with one customer.
pub(crate) struct Platform {
    pub address: SocketAddr,
    pub files: Files,
    pub gate: Arc<Notify>,
    seen: Arc<Mutex<Vec<Seen>>>,
    sockets: mpsc::UnboundedReceiver<WebSocket>,
}

impl Platform {
    pub(crate) async fn start() -> Self {
        let (sender, sockets) = mpsc::unbounded_channel();
        let (files, gate, seen) = <(Files, Arc<Notify>, Arc<Mutex<Vec<Seen>>>)>::default();
        let app =
            App { files: files.clone(), seen: seen.clone(), sockets: sender, gate: gate.clone() };
        let router = Router::new()
            .route("/ws", get(socket))
            .route("/files/{name}", get(read).put(write))
            .route("/api/v1/models/{id}/download", get(download))
            .with_state(app);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, files, gate, seen, sockets }
    }

    pub(crate) fn url(&self, file: &str) -> String {
        format!("http://{}/files/{file}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The next connection that a device opens.
    pub(crate) async fn accept(&mut self) -> Connection {
        Connection(soon(self.sockets.recv()).await.unwrap())
    }

    /// A connection on which the device has been welcomed, and what it said.
    pub(crate) async fn welcome(&mut self) -> (Connection, Hello) {
        let mut connection = self.accept().await;
        let hello = connection.hear("hello").await;
        connection.say(&welcome(60_000)).await;
        (connection, hello)
    }

    /// Stores a model; the reference has a URL.
    pub(crate) fn model(&self, name: &str, bytes: &[u8]) -> ModelRef {
        self.files.set(name, bytes.to_vec());
        ModelRef {
            id: "model_1".to_owned(),
            version: 2,
            format: "onnx".to_owned(),
            checksum: checksum(bytes),
            bytes: bytes.len() as u64,
            url: Some(self.url(name)),
        }
    }

    pub(crate) fn config(&self, dir: &Path) -> Config {
        Config {
            url: format!("http://{}", self.address),
            api_key: KEY.to_owned().into(),
            name: Some("tester".to_owned()),
            slots: 2,
            share: Share::Own,
            instance_type: InstanceType::User,
            data_dir: dir.to_owned(),
            cache_mb: 64,
            max_model_mb: 16,
            journal: Journal::default(),
            timings: Timings { first_retry: Duration::from_millis(1), ..Timings::default() },
        }
    }
}

async fn socket(State(app): State<App>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    match headers.get("x-api-key").map(|key| key.as_bytes()) {
        Some(key) if key == KEY.as_bytes() => {
            upgrade.on_upgrade(async move |socket| app.sockets.send(socket).unwrap())
        }
        Some(b"no-devices") => StatusCode::FORBIDDEN.into_response(),
        _ => StatusCode::UNAUTHORIZED.into_response(),
    }
}

impl App {
    fn note(&self, method: &str, uri: &Uri, headers: &HeaderMap) {
        let token = headers.get("x-sdk-token").map(|token| token.to_str().unwrap().to_owned());
        self.seen.lock().unwrap().push((format!("{method} {uri}"), token));
    }
}

async fn read(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
    Param(name): Param<String>,
) -> Response {
    app.note("GET", &uri, &headers);
    if name.starts_with("gated") {
        app.gate.notified().await;
    }
    app.files
        .get(&name)
        .map_or_else(|| StatusCode::NOT_FOUND.into_response(), IntoResponse::into_response)
}

async fn write(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
    Param(name): Param<String>,
    body: Bytes,
) {
    app.note("PUT", &uri, &headers);
    app.files.set(&name, body);
}

async fn download(State(app): State<App>, uri: Uri, headers: HeaderMap) -> Response {
    app.note("GET", &uri, &headers);
    (StatusCode::FOUND, [(LOCATION, "/files/presigned?sig=1")]).into_response()
}

/// One device's connection.
pub(crate) struct Connection(pub WebSocket);

impl Connection {
    pub(crate) async fn say(&mut self, message: &impl serde::Serialize) {
        self.0.send(Message::text(encode(message))).await.unwrap();
    }

    /// The next message; it must be of this type. Heartbeats are passed over unless they are asked for.
    pub(crate) async fn hear<T: DeserializeOwned>(&mut self, wanted: &str) -> T {
        loop {
            let text = self.text().await.unwrap_or_else(|| panic!("closed instead of a {wanted}"));
            let is = kind(&text).unwrap().into_owned();
            if is == wanted {
                return serde_json::from_str(&text).unwrap();
            }
            assert_eq!(is, "heartbeat", "instead of {wanted}: {text}");
        }
    }

    /// The next text; `None` when the device closes.
    pub(crate) async fn text(&mut self) -> Option<String> {
        loop {
            match soon(self.0.recv()).await {
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    pub(crate) async fn ack(&mut self, task: &str) {
        let (task_id, fence) = (task.to_owned(), format!("fence-{task}"));
        self.say(&TaskAck { task_id, fence, accepted: true }).await;
    }
}

pub(crate) fn welcome(heartbeat_ms: u64) -> Welcome {
    Welcome {
        device_id: "dev_1".to_owned(),
        session_token: TOKEN.to_owned(),
        heartbeat_ms,
        lease_ms: 3 * heartbeat_ms,
        server_time: "2026-01-01T00:00:00.000Z".to_owned(),
        api_url: None,
    }
}

pub(crate) fn checksum(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    format!("sha256:{}", digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// A task with its inputs in the message; its fence is `fence-` and its id.
pub(crate) fn task(id: &str, model: &ModelRef, input: &Named) -> TaskRun {
    TaskRun {
        task_id: id.to_owned(),
        attempt: 1,
        fence: format!("fence-{id}"),
        lease_ms: 15_000,
        deadline_ms: 60_000,
        model: model.clone(),
        inputs: Payload::Inline(vec![input.clone()]),
        stacked: None,
        outputs_url: None,
    }
}

/// Takes back a task that was made with [`task`].
pub(crate) fn cancel(id: &str) -> TaskCancel {
    TaskCancel {
        task_id: id.to_owned(),
        fence: format!("fence-{id}"),
        reason: "cancelled".to_owned(),
    }
}

/// The outputs in the message.
pub(crate) fn inline(done: &TaskDone) -> &[Named] {
    match &done.outputs {
        Payload::Inline(outputs) => outputs,
        Payload::Blob(_) => panic!("a blob"),
    }
}

pub(crate) fn blob(url: Option<String>, bytes: &[u8]) -> Payload {
    Payload::Blob(Blob { url, checksum: checksum(bytes), bytes: bytes.len() as u64 })
}

/// A running agent.
pub(crate) struct Running {
    pub stop: Stop,
    pub status: tokio::sync::watch::Receiver<dcmp_device::Status>,
    pub events: tokio::sync::broadcast::Receiver<dcmp_device::Event>,
    ended: JoinHandle<Result<Summary, Error>>,
}

impl Running {
    pub(crate) fn start(config: Config) -> Self {
        let agent = Agent::new(config).unwrap();
        let (stop, status, events) = (Stop::new(), agent.status(), agent.events());
        let ended = tokio::spawn(agent.run(stop.clone()));
        Self { stop, status, events, ended }
    }

    pub(crate) async fn ended(self) -> Result<Summary, Error> {
        soon(self.ended).await.unwrap()
    }
}
