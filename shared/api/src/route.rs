//! One declaration per function: from it the router, the socket, the queues, the OpenAPI document,
//! the tenant matrix and the deployment are derived.

use std::{sync::Arc, time::Duration};

use domain::access::Scope;
use futures::{FutureExt, future::BoxFuture};
use ports::{Action, Change};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use service::{App, sessions::Connection};
use utoipa::openapi::path::HttpMethod;

use crate::{http::Http, socket};

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Everybody.
    Open,
    /// A customer whose key has this scope.
    Customer(Scope),
    /// Likewise, or a device for its own tasks.
    CustomerOrDevice(Scope),
    /// The operator.
    Admin,
    /// Only the platform itself: messages, queues, feed, timers, calls.
    Platform,
}

/// A socket message's handler: decodes the frame itself.
pub type OnMessage = Arc<
    dyn Fn(App, Arc<Connection>, String) -> BoxFuture<'static, service::Result<()>> + Send + Sync,
>;
/// Decides whether a device may connect.
pub type OnConnect =
    Arc<dyn Fn(App, Connecting) -> BoxFuture<'static, service::Result<()>> + Send + Sync>;
/// Told the id of a connection that closed.
pub type OnDisconnect =
    Arc<dyn Fn(App, String) -> BoxFuture<'static, service::Result<()>> + Send + Sync>;
/// A queue's handler: one message's body.
pub type OnQueue = Arc<dyn Fn(App, Value) -> BoxFuture<'static, service::Result<()>> + Send + Sync>;
/// A feed consumer.
pub type OnFeed =
    Arc<dyn Fn(App, Vec<Change>) -> BoxFuture<'static, service::Result<()>> + Send + Sync>;
/// A timer.
pub type OnTimer = Arc<dyn Fn(App) -> BoxFuture<'static, service::Result<()>> + Send + Sync>;
/// A function that others call: JSON in, JSON out.
pub type OnCall =
    Arc<dyn Fn(App, bytes::Bytes) -> BoxFuture<'static, service::Result<Vec<u8>>> + Send + Sync>;

/// A device that wants to connect.
#[derive(Clone)]
pub struct Connecting {
    /// The new connection's id.
    pub connection: String,
    /// The API key that the device showed.
    pub secret: String,
    /// Where it reached the platform, `scheme://host:port`.
    pub base: String,
}

/// What starts a function, and what it does then.
#[derive(Clone)]
pub enum Entry {
    /// An HTTP request.
    Http(Box<Http>),
    /// A device connects.
    Connect(OnConnect),
    /// A connection closed.
    Disconnect(OnDisconnect),
    /// A device's message of this type; [`UNKNOWN`](socket::UNKNOWN) is every other type.
    Message(&'static str, OnMessage),
    /// A queue's messages.
    Queue(&'static str, OnQueue),
    /// Batches of changes of the table, for the consumer of the function's name.
    Feed(OnFeed),
    /// A timer with this period.
    Timer(Duration, OnTimer),
    /// A call by another function.
    Call(OnCall),
}

/// The program that a function is part of: most need no engine, and start faster without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bundle {
    /// Without tract.
    Light,
    /// With tract, decoders and tokenizers.
    Compute,
}

/// A function of the platform.
#[derive(Clone)]
pub struct Route {
    /// Unique, such as `models-upload`.
    pub name: &'static str,
    /// What starts it.
    pub entry: Entry,
    /// Who may call.
    pub auth: Auth,
    /// What it may do; everything else its ports refuse.
    pub uses: Vec<Action>,
    /// Its memory in MB.
    pub memory_mb: u32,
    /// How long one run may take.
    pub timeout: Duration,
    /// The program that it is part of.
    pub bundle: Bundle,
}

impl Route {
    /// An HTTP route, from `routes!(handler)`.
    pub fn new(name: &'static str, http: Http) -> Self {
        Self::with(name, Entry::Http(Box::new(http)), Auth::Open)
    }

    /// Decides whether a device may connect.
    pub fn connect<F, R>(name: &'static str, handler: F) -> Self
    where
        F: Fn(App, Connecting) -> R + Send + Sync + 'static,
        R: Future<Output = service::Result<()>> + Send + 'static,
    {
        let on = move |app, connecting| handler(app, connecting).boxed();
        Self::with(name, Entry::Connect(Arc::new(on)), Auth::Customer(Scope::Devices))
    }

    /// Told when a connection closed.
    pub fn disconnect<F, R>(name: &'static str, handler: F) -> Self
    where
        F: Fn(App, String) -> R + Send + Sync + 'static,
        R: Future<Output = service::Result<()>> + Send + 'static,
    {
        let on = move |app, connection| handler(app, connection).boxed();
        Self::with(name, Entry::Disconnect(Arc::new(on)), Auth::Platform)
    }

    /// The handler of a device's messages of one type.
    pub fn message<M, F, R>(name: &'static str, kind: &'static str, handler: F) -> Self
    where
        M: DeserializeOwned + Send,
        F: Fn(App, Arc<Connection>, M) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = service::Result<()>> + Send + 'static,
    {
        let on = move |app, connection, frame: String| match serde_json::from_str::<M>(&frame) {
            Ok(message) => handler(app, connection, message).boxed(),
            Err(error) => {
                let message = format!("not a `{kind}` message: {error}");
                async move { Err(service::Error::invalid("message", message)) }.boxed()
            }
        };
        Self::frame(name, kind, Arc::new(on))
    }

    /// The handler of a device's messages of every type that is not among `known`.
    pub fn unknown(name: &'static str, known: Vec<&'static str>) -> Self {
        let on = move |_, _, frame: String| {
            let error = socket::unknown(&frame, &known);
            async move { Err(error) }.boxed()
        };
        Self::frame(name, socket::UNKNOWN, Arc::new(on))
    }

    fn frame(name: &'static str, kind: &'static str, on: OnMessage) -> Self {
        // whoever says something is known by its connection, and told what was wrong
        Self::with(name, Entry::Message(kind, on), Auth::Platform)
            .uses(&[Action::GetRecords, Action::PostToSockets])
    }

    /// The handler of a queue's messages.
    pub fn queue<F, R>(name: &'static str, queue: &'static str, handler: F) -> Self
    where
        F: Fn(App, Value) -> R + Send + Sync + 'static,
        R: Future<Output = service::Result<()>> + Send + 'static,
    {
        let on = move |app, body| handler(app, body).boxed();
        Self::with(name, Entry::Queue(queue, Arc::new(on)), Auth::Platform)
    }

    /// A consumer of the change feed.
    pub fn feed<F, R>(name: &'static str, handler: F) -> Self
    where
        F: Fn(App, Vec<Change>) -> R + Send + Sync + 'static,
        R: Future<Output = service::Result<()>> + Send + 'static,
    {
        let on = move |app, changes| handler(app, changes).boxed();
        Self::with(name, Entry::Feed(Arc::new(on)), Auth::Platform)
    }

    /// A timer.
    pub fn timer<F, R>(name: &'static str, period: Duration, handler: F) -> Self
    where
        F: Fn(App) -> R + Send + Sync + 'static,
        R: Future<Output = service::Result<()>> + Send + 'static,
    {
        let on = move |app| handler(app).boxed();
        Self::with(name, Entry::Timer(period, Arc::new(on)), Auth::Platform)
    }

    /// A function that others call by its name.
    pub fn call<Q, A, F, R>(name: &'static str, handler: F) -> Self
    where
        Q: DeserializeOwned + Send,
        A: Serialize,
        F: Fn(App, Q) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = service::Result<A>> + Send + 'static,
    {
        let on = move |app, payload: bytes::Bytes| {
            let handler = handler.clone();
            async move {
                let request = serde_json::from_slice(&payload).map_err(service::Error::internal)?;
                let answer = handler(app, request).await?;
                serde_json::to_vec(&answer).map_err(service::Error::internal)
            }
            .boxed()
        };
        Self::with(name, Entry::Call(Arc::new(on)), Auth::Platform)
    }

    fn with(name: &'static str, entry: Entry, auth: Auth) -> Self {
        Self {
            name,
            entry,
            auth,
            uses: Vec::new(),
            memory_mb: 256,
            timeout: Duration::from_secs(10),
            bundle: Bundle::Light,
        }
    }

    /// Who may call.
    #[must_use]
    pub fn auth(self, auth: Auth) -> Self {
        Self { auth, ..self }
    }

    /// What it may do, beside what was said before.
    #[must_use]
    pub fn uses(mut self, uses: &[Action]) -> Self {
        for action in uses {
            if !self.uses.contains(action) {
                self.uses.push(*action);
            }
        }
        self
    }

    /// Its memory in MB.
    #[must_use]
    pub fn memory_mb(self, memory_mb: u32) -> Self {
        Self { memory_mb, ..self }
    }

    /// How long one run may take.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// It runs models, or what goes with them.
    #[must_use]
    pub fn computes(self) -> Self {
        Self { bundle: Bundle::Compute, ..self }
    }

    /// The area that it is counted with: what its name begins with.
    pub fn area(&self) -> &'static str {
        self.name.split('-').next().unwrap_or(self.name)
    }

    /// The app as this function is given it.
    pub fn app(&self, app: &App) -> App {
        app.restricted(self.name, &self.uses)
    }

    /// Method and path of an HTTP route, the path without [`BASE_PATH`](crate::BASE_PATH).
    pub fn operation(&self) -> Option<(HttpMethod, String)> {
        let Entry::Http(http) = &self.entry else { return None };
        Some((http.method.clone(), http.path.clone()))
    }
}
