//! A platform in this process, with a customer and a device, for targets that go through its routes.

use std::sync::{Arc, OnceLock};

use api::{Entry, Route};
use axum::{Router, body::Body};
use embedded::{Connection, Durability, Embedded, Options};
use http::{Request, StatusCode};
use protocol::rest::admin::{NewCustomer, NewKey};
use service::{App, Settings, access, idempotency::Commit};
use tokio::runtime::Runtime;
use tower::ServiceExt;

use super::fixture;

/// The longest answer that is read.
const MAX_ANSWER: usize = 64 << 20;

/// A platform that lives as long as the process.
pub(super) struct World {
    pub(super) app: App,
    pub(super) key: String,
    pub(super) model: String,
    pub(super) routes: Vec<Route>,
    runtime: Runtime,
    router: Router,
    store: Embedded,
    _directory: tempfile::TempDir,
}

/// The one of this process.
pub(super) fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| World::new().unwrap_or_else(|cause| panic!("no platform: {cause:#}")))
}

impl World {
    fn new() -> anyhow::Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let directory = tempfile::tempdir()?;
        let options = Options { durability: Durability::Process, ..Options::default() };
        let store = Embedded::open(directory.path(), options)?;
        let settings = Settings {
            version: "fuzz".to_owned(),
            admin_key_hash: access::hash("admin"),
            chosen_keys: false,
            public_url: None,
            bounded_answers: false,
            upload_limit: 4 << 20,
            uploads: Default::default(),
            lease: Default::default(),
        };
        let own_device = Arc::new(compute::OwnDevice::new(1, 1 << 30));
        let app = App::new(store.ports(), settings, Some(own_device));
        let routes = registry::routes();
        for route in &routes {
            if let Entry::Call(handler) = &route.entry {
                let (app, handler) = (route.app(&app), handler.clone());
                store.functions().register(route.name, route.timeout, move |payload| {
                    let run = handler(app.clone(), payload);
                    async move { run.await.map(Into::into).map_err(ports::Error::unavailable) }
                });
            }
        }
        let router = api::router(&app, &routes, Router::new());
        let key = runtime.block_on(async {
            let new = NewCustomer { name: "fuzz".to_owned() };
            let customer = access::create_customer(&app, &new, Commit::alone()).await?;
            access::create_key(&app, &customer.id, &NewKey::default(), Commit::alone()).await
        })?;
        let key = key.secret.unwrap_or_default();
        let (model, _directory) = (String::new(), directory);
        let mut world = Self { app, key, model, routes, runtime, router, store, _directory };
        let (status, answer) =
            world.call("POST", "/models", FORM, super::forms::form(&fixture("mlp.onnx")));
        anyhow::ensure!(status == StatusCode::CREATED, "the upload was answered {status}");
        let answer: serde_json::Value = serde_json::from_slice(&answer)?;
        world.model = answer["id"].as_str().unwrap_or_default().to_owned();
        Ok(world)
    }

    /// A request of the customer's, and what is answered.
    pub(super) fn call(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> (StatusCode, Vec<u8>) {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("x-api-key", &self.key)
            .header("content-type", kind)
            .body(Body::from(body));
        // a path that is no path never comes in
        let Ok(request) = request else { return (StatusCode::BAD_REQUEST, Vec::new()) };
        self.run(async {
            let Ok(response) = self.router.clone().oneshot(request).await;
            let status = response.status();
            let body = axum::body::to_bytes(response.into_body(), MAX_ANSWER).await;
            (status, body.map(|body| body.to_vec()).unwrap_or_default())
        })
    }

    /// As [`call`](Self::call); what is refused is refused for a reason that the caller is told.
    pub(super) fn answers(&self, method: &str, path: &str, kind: &str, body: Vec<u8>) {
        let (status, answer) = self.call(method, path, kind, body);
        let answer = String::from_utf8_lossy(&answer);
        assert!(!status.is_server_error(), "{status}: {answer}");
        if status.is_client_error() && !answer.is_empty() {
            let envelope: Result<protocol::rest::errors::Envelope, _> =
                serde_json::from_str(&answer);
            assert!(envelope.is_ok(), "{status}: {answer}");
        }
    }

    /// Runs something to its end.
    pub(super) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// A socket, open.
    pub(super) fn open(&self, connection: &str) -> Connection {
        self.store.sockets().open(connection)
    }
}

/// The type of a form whose boundary is `b`.
pub(super) const FORM: &str = "multipart/form-data; boundary=b";

/// The type of JSON.
pub(super) const JSON: &str = "application/json";
