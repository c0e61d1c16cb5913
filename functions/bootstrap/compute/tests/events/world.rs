//! A platform that has what the events name: a customer with a model, a device that works on a job,
//! and whatever else.

use std::{sync::Arc, time::Duration};

use api::{Entry, Route};
use axum::{Router, body::Body};
use bootstrap::Function;
use embedded::{Connection, Durability, Embedded, Options};
use lambda_runtime::LambdaEvent;
use ports::Checksum;
use protocol::rest::admin::{NewCustomer, NewKey};
use serde_json::{Value, json, value::RawValue};
use service::{
    App, Settings, access,
    devices::logs::{self, Question},
    fold,
    idempotency::Commit,
    jobs, sessions,
};
use tower::ServiceExt;

/// What the events upload and run.
const FILE: &[u8] = include_bytes!("../../../../../fixtures/mlp.onnx");

/// What the events name and may be so here: see `xtask/src/events/says.rs`.
const ADMIN_KEY: &str = "dcmp_admin_exampleExampleExample0001";
const CONNECTION: &str = "JKJaXcLvIAMCIxg=";
const BLOB: &str = "models/example.onnx";
const TABLE: &str = "datasets/example.csv";

/// The rows that the events bring.
const ROWS: &[u8] = b"age,weight,label\n34,71.5,benign\n58,80,malignant\n";

pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) customer: String,
    pub(crate) device: String,
    /// A job that nobody has.
    pub(crate) queued: String,
    socket: Connection,
    /// What the events name, and what it is here.
    names: Vec<(&'static str, String)>,
    _store: Embedded,
    _directory: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { durability: Durability::Process, ..Options::default() };
        let store = Embedded::open(directory.path(), options).unwrap();
        let settings = Settings {
            version: "test".to_owned(),
            admin_key_hash: access::hash(ADMIN_KEY),
            chosen_keys: false,
            public_url: Some("https://api.example.org".to_owned()),
            bounded_answers: true,
            upload_limit: 4 << 20,
            uploads: Default::default(),
            lease: Default::default(),
        };
        let app =
            App::new(store.ports(), settings, Some(Arc::new(compute::OwnDevice::new(1, 1 << 30))));
        let routes = registry::routes();
        serve_calls(&app, &routes, &store);

        let new = NewCustomer { name: "Example".to_owned() };
        let customer = access::create_customer(&app, &new, Commit::alone()).await.unwrap().id;
        let key =
            access::create_key(&app, &customer, &NewKey::default(), Commit::alone()).await.unwrap();
        let secret = key.secret.unwrap();
        let api = Api { router: api::router(&app, &routes, store.blob_router()), key: &secret };
        let model = api.upload("/models", "model", "mlp.onnx", FILE).await;
        let uploading = api.upload_in_parts("/models", "mlp.onnx", FILE).await;
        app.ports.blobs.put(BLOB, FILE.into()).await.unwrap();
        let dataset = api.upload("/datasets", "file", "patients.csv", ROWS).await;
        let uploading_dataset = api.upload_in_parts("/datasets", "patients.csv", ROWS).await;
        app.ports.blobs.put(TABLE, ROWS.into()).await.unwrap();

        let mut socket = store.sockets().open(CONNECTION);
        sessions::connect(&app, CONNECTION, &secret, "https://api.example.org").await.unwrap();
        let connection = sessions::connection(&app, CONNECTION).await.unwrap().unwrap();
        let hello = serde_json::from_value(json!({
            "type": "hello",
            "uuid": "sdk-rust-c5d145",
            "sdk_type": "rust",
            "sdk_version": "0.1.0",
            "capabilities": { "formats": ["onnx"], "inference": true, "slots": 1, "max_model_mb": 512 },
        }));
        sessions::hello(&app, &connection, hello.unwrap()).await.unwrap();
        let welcome = next(&mut socket, "welcome");
        let device = welcome["device_id"].as_str().unwrap().to_owned();
        fold_all(&app).await;

        let running = api.submit(&model).await;
        jobs::dispatch(&app, &running).await.unwrap();
        let fence = next(&mut socket, "taskRun")["fence"].as_str().unwrap().to_owned();
        let queued = api.submit(&model).await;
        let batch = api.submit_batch(&model).await;
        let question = Question { timeout_ms: Some(0), ..Question::default() };
        let asked = logs::pull(&app, &customer, &device, question).await.unwrap();
        let logs::Answer::Pending(asked) = asked else { panic!("nobody has answered") };
        fold_all(&app).await;

        let names = vec![
            ("dcmp_exampleExampleExampleExample0001", secret.clone()),
            ("cust_0199a0b1c2d37e4f8091a2b3c4d5e601", customer.clone()),
            ("key_0199a0b1c2d37e4f8091a2b3c4d5e602", key.id),
            ("model_0199a0b1c2d37e4f8091a2b3c4d5e603", model),
            ("model_0199a0b1c2d37e4f8091a2b3c4d5e604", uploading),
            ("dataset_0199a0b1c2d37e4f8091a2b3c4d5e60a", dataset),
            ("dataset_0199a0b1c2d37e4f8091a2b3c4d5e60b", uploading_dataset),
            ("dev_0199a0b1c2d37e4f8091a2b3c4d5e605", device.clone()),
            ("logs_0199a0b1c2d37e4f8091a2b3c4d5e606", asked.request_id),
            ("infer_0199a0b1c2d37e4f8091a2b3c4d5e607", running),
            ("infer_0199a0b1c2d37e4f8091a2b3c4d5e608", queued.clone()),
            ("0199a0b1c2d37e4f8091a2b3c4d5e609", fence),
            ("batch_0199a0b1c2d37e4f8091a2b3c4d5e610", batch),
        ];
        let _directory = directory;
        Self { app, customer, device, queued, socket, names, _store: store, _directory }
    }

    /// The answer of a function to its event.
    pub(crate) async fn run(&self, name: &str) -> Value {
        let routes = registry::routes();
        let route = routes.iter().find(|route| route.name == name).unwrap();
        let path = super::folder().join(format!("{name}.json"));
        let mut event = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{name}"));
        for (theirs, ours) in &self.names {
            event = event.replace(theirs, ours);
        }
        let function = Function::new(route, &self.app, "test");
        let event = LambdaEvent::new(RawValue::from_string(event).unwrap(), Default::default());
        let (answer, _) = function.handle(event).await;
        let answer = answer.unwrap_or_else(|cause| panic!("{name}: {cause}"));
        serde_json::from_str(answer.get()).unwrap()
    }

    /// What was said to the device since the last call.
    pub(crate) fn frames(&mut self) -> Vec<Value> {
        let frames = std::iter::from_fn(|| self.socket.try_recv());
        frames.map(|frame| serde_json::from_str(&frame).unwrap()).collect()
    }
}

/// The platform's API for the customer.
struct Api<'a> {
    router: Router,
    key: &'a str,
}

impl Api<'_> {
    /// Uploads a file as the field of a form; what it became.
    async fn upload(&self, path: &str, field: &str, name: &str, file: &[u8]) -> String {
        let mut form = format!(
            "--b\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\r\n"
        )
        .into_bytes();
        form.extend_from_slice(file);
        form.extend_from_slice(b"\r\n--b--\r\n");
        let kind = "multipart/form-data; boundary=b";
        text(&self.post(path, kind, form).await["id"])
    }

    /// A file of which all parts came, and that is not complete.
    async fn upload_in_parts(&self, path: &str, name: &str, file: &'static [u8]) -> String {
        let checksum = Checksum::of(file).to_string();
        let begun = self
            .post_json(
                path,
                json!({
                    "file_name": name,
                    "size": file.len(),
                    "checksum": checksum,
                    "part_size": 5 << 20,
                    "parts": [checksum],
                }),
            )
            .await;
        let part = &begun["upload"]["parts"][0];
        let mut request = http::Request::put(text(&part["url"]));
        for (name, value) in part["headers"].as_object().unwrap() {
            request = request.header(name, text(value));
        }
        self.call(request.body(file.into()).unwrap()).await;
        text(&begun["id"])
    }

    /// A job that nobody waits for.
    async fn submit(&self, model: &str) -> String {
        let input = json!({ "data": vec![0.5; 10], "shape": [1, 10] });
        let body = json!({ "model_id": model, "input": input, "async": true });
        text(&self.post_json("/inference", body).await["job_id"])
    }

    async fn submit_batch(&self, model: &str) -> String {
        let input = json!({ "data": vec![0.5; 10], "shape": [1, 10] });
        let body = json!({ "model_id": model, "inputs": [input] });
        text(&self.post_json("/inference/batch", body).await["job_id"])
    }

    async fn post_json(&self, path: &str, body: Value) -> Value {
        self.post(path, "application/json", body.to_string().into_bytes()).await
    }

    async fn post(&self, path: &str, kind: &str, body: Vec<u8>) -> Value {
        let request = http::Request::post(format!("{}{path}", api::BASE_PATH))
            .header("x-api-key", self.key)
            .header("content-type", kind)
            .body(Body::from(body));
        serde_json::from_slice(&self.call(request.unwrap()).await).unwrap()
    }

    async fn call(&self, request: http::Request<Body>) -> Vec<u8> {
        let Ok(response) = self.router.clone().oneshot(request).await;
        let status = response.status();
        let answer = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&answer));
        answer.to_vec()
    }
}

/// The functions that others call, in this process.
fn serve_calls(app: &App, routes: &[Route], store: &Embedded) {
    for route in routes {
        if let Entry::Call(handler) = &route.entry {
            let (app, handler) = (route.app(app), handler.clone());
            store.functions().register(route.name, route.timeout, move |payload| {
                let run = handler(app.clone(), payload);
                async move { run.await.map(Into::into).map_err(ports::Error::unavailable) }
            });
        }
    }
}

/// Folds everything that happened so far.
async fn fold_all(app: &App) {
    let changes = &app.ports.changes;
    let batch = changes.read("feed-fold", 1000, Duration::ZERO).await.unwrap();
    let last = batch.last().unwrap().place.clone();
    fold::batch(app, batch).await.unwrap();
    changes.checkpoint("feed-fold", &last).await.unwrap();
}

/// The next message to the device, which must be of this type.
#[track_caller]
fn next(socket: &mut Connection, kind: &str) -> Value {
    let frame: Value = serde_json::from_str(&socket.try_recv().unwrap()).unwrap();
    assert_eq!(frame["type"], kind, "{frame}");
    frame
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text")).to_owned()
}
