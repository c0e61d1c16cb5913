//! One connection, from the handshake to the platform's welcome.

use std::{
    sync::{PoisonError, RwLock},
    time::Duration,
};

use futures::{SinkExt, StreamExt};
use protocol::socket::{Capabilities, Fault, Hardware, Hello, Welcome, encode, kind};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_tls_with_config,
    tungstenite::{
        Error as SocketError, Message, Utf8Bytes,
        client::IntoClientRequest,
        http::{HeaderValue, StatusCode},
        protocol::WebSocketConfig,
    },
};

use crate::{config::Config, endpoint::Endpoint};

/// How much is read at once, in bytes. The buffer is zeroed before every read, so a large one costs
/// more than it saves.
const READ_BUFFER: usize = 8 * 1024;

/// The longest message that is accepted.
const MAX_RECEIVED: usize = 128 * 1024;

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A connection on which the device is welcome.
pub(crate) struct Link {
    pub socket: Socket,
    pub welcome: Welcome,
    /// What came before the welcome: messages may overtake each other.
    pub early: Vec<Utf8Bytes>,
    /// Whether the session of the connection before was offered.
    pub resumed: bool,
}

/// Why there is no link.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It will not get better by itself.
    Final(String),
    /// It may work later.
    Passing(String),
}

/// What the platform's last welcome said, once there was one.
#[derive(Default)]
pub(crate) struct Session {
    known: RwLock<Option<Known>>,
}

/// How a welcome device reaches the platform's routes.
#[derive(Clone)]
pub(crate) struct Known {
    /// The platform's token for this device.
    pub token: String,
    /// Where its routes are, if it says so.
    pub api: Option<Url>,
}

impl Session {
    pub(crate) fn known(&self) -> Option<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, known: Known) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }
}

/// What the device says about itself on every connection.
pub(crate) struct Introduction {
    endpoint: Endpoint,
    api_key: SecretString,
    patience: Duration,
    hello: Hello,
}

impl Introduction {
    pub(crate) fn new(
        config: &Config,
        endpoint: Endpoint,
        uuid: String,
        hardware: Hardware,
    ) -> Self {
        let hello = Hello {
            uuid,
            sdk_type: "rust".to_owned(),
            sdk_version: env!("CARGO_PKG_VERSION").to_owned(),
            name: config.name.clone(),
            instance_type: config.instance_type,
            hardware,
            capabilities: Capabilities {
                formats: vec!["onnx".to_owned()],
                inference: true,
                training: false,
                gpu: false,
                slots: config.slots,
                max_model_mb: config.max_model_mb,
                batches: true,
            },
            share: config.share,
            resume: None,
        };
        let api_key = config.api_key.clone();
        Self { endpoint, api_key, patience: config.timings.welcome, hello }
    }

    /// Connects, says `hello` and waits for the welcome.
    pub(crate) async fn link(&self, session: &Session) -> Result<Link, Refusal> {
        let link = tokio::time::timeout(self.patience, self.connect(session)).await;
        link.unwrap_or_else(|_| {
            Err(Refusal::Passing(format!("the platform did not answer within {:?}", self.patience)))
        })
    }

    async fn connect(&self, session: &Session) -> Result<Link, Refusal> {
        let passing = |error: SocketError| Refusal::Passing(error.to_string());
        let mut request = self.endpoint.socket.as_str().into_client_request().map_err(passing)?;
        let mut key = HeaderValue::from_str(self.api_key.expose_secret())
            .map_err(|_| Refusal::Final("the API key has characters that no key has".to_owned()))?;
        key.set_sensitive(true);
        request.headers_mut().insert("X-API-Key", key);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_message_size(Some(MAX_RECEIVED))
            .max_frame_size(Some(MAX_RECEIVED));
        // without Nagle's delay: a result waits for nothing
        let connected = connect_async_tls_with_config(request, Some(config), true, None).await;
        let (mut socket, _) = connected.map_err(|error| self.explain(error))?;

        let resume = session.known().map(|known| known.token);
        let resumed = resume.is_some();
        let hello = Hello { resume, ..self.hello.clone() };
        socket.send(Message::text(encode(&hello))).await.map_err(passing)?;
        let mut early = Vec::new();
        while let Some(message) = socket.next().await {
            let Message::Text(text) = message.map_err(passing)? else { continue };
            match kind(&text).as_deref() {
                Some("welcome") => {
                    let welcome: Welcome = serde_json::from_str(&text).map_err(|error| {
                        Refusal::Passing(format!("the welcome is unreadable: {error}"))
                    })?;
                    let api = welcome.api_url.as_deref().map(Url::parse).transpose();
                    let api = api.map_err(|error| {
                        Refusal::Passing(format!("the welcome names no address: {error}"))
                    })?;
                    session.set(Known { token: welcome.session_token.clone(), api });
                    return Ok(Link { socket, welcome, early, resumed });
                }
                Some("error") => return Err(refused(&text)),
                _ => early.push(text),
            }
        }
        Err(Refusal::Passing(
            "the platform closed the connection before it said welcome".to_owned(),
        ))
    }

    fn explain(&self, error: SocketError) -> Refusal {
        let SocketError::Http(response) = &error else {
            return Refusal::Passing(error.to_string());
        };
        let socket = &self.endpoint.socket;
        match response.status() {
            StatusCode::UNAUTHORIZED => Refusal::Final(format!(
                "the platform at {socket} does not know this API key (401); make one with `dcmp key create`"
            )),
            StatusCode::FORBIDDEN => Refusal::Final(format!(
                "this API key may not add devices to {socket} (403); it needs the scope `devices`"
            )),
            StatusCode::NOT_FOUND => Refusal::Passing(format!(
                "there is no device socket at {socket} (404); check the URL"
            )),
            status => Refusal::Passing(format!("{socket} answered {status}")),
        }
    }
}

/// An `error` instead of a welcome: some cannot be cured by trying again.
fn refused(text: &str) -> Refusal {
    let Ok(Fault { code, message }) = serde_json::from_str(text) else {
        return Refusal::Passing("the platform answered with an unreadable error".to_owned());
    };
    let text = format!("the platform refused the device: {message} ({code})");
    match code.as_str() {
        "AUTH_REQUIRED" | "AUTH_INVALID" | "FORBIDDEN" | "VALIDATION_ERROR" => Refusal::Final(text),
        _ => Refusal::Passing(text),
    }
}
