//! What one waiting inference on a device costs: calls of `Records` between the request and its
//! answer, counted on the real routes over the real store, with this test in the place of the
//! device's socket.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "tests")]

mod counting;

use std::sync::Arc;

use api::{Connecting, Entry, Route};
use axum::{body::Body, http::Request};
use counting::{Cost, Counting};
use embedded::{Embedded, Options};
use protocol::{
    rest::admin::{NewCustomer, NewKey},
    socket::{
        Capabilities, Hardware, Hello, InstanceType, Payload, Share, TaskDone, TaskRun, encode,
        kind,
    },
    tensor::{Named, Tensor},
};
use serde_json::{Value, json};
use service::{App, Settings, access, sessions};
use tower::ServiceExt;

struct Platform {
    app: App,
    routes: Vec<Route>,
    store: Embedded,
    counting: Arc<Counting>,
    key: String,
    _directory: tempfile::TempDir,
}

impl Platform {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Embedded::open(directory.path(), Options::default()).unwrap();
        let mut ports = store.ports();
        let counting = Arc::new(Counting::new(ports.records.clone()));
        ports.records = counting.clone();
        let settings = Settings {
            version: "test".to_owned(),
            admin_key_hash: access::hash("admin"),
            public_url: None,
            upload_limit: 1 << 20,
            lease: Default::default(),
        };
        let app = App::new(ports, settings, None);
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
        let new = NewCustomer { name: "test".to_owned() };
        let customer = access::create_customer(&app, &new).await.unwrap();
        let key = access::create_key(&app, &customer.id, &NewKey::default()).await.unwrap();
        let key = key.secret.unwrap();
        Self { app, routes, store, counting, key, _directory: directory }
    }

    async fn call(&self, request: axum::http::request::Builder, body: Vec<u8>) -> Value {
        let request = request.header("x-api-key", &self.key).body(Body::from(body)).unwrap();
        let response = api::router(&self.app, &self.routes).oneshot(request).await.unwrap();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    async fn upload(&self) -> String {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/mlp.onnx");
        let mut body =
            b"--x\r\nContent-Disposition: form-data; name=\"model\"; filename=\"mlp.onnx\"\r\n\r\n"
                .to_vec();
        body.extend(std::fs::read(path).unwrap());
        body.extend(b"\r\n--x--\r\n");
        let request = Request::post("/api/v1/models")
            .header("content-type", "multipart/form-data; boundary=x");
        self.call(request, body).await["id"].as_str().unwrap().to_owned()
    }

    async fn infer(&self, model: &str) -> Value {
        let input = json!({ "data": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "shape": [1, 10] });
        let body = json!({ "model_id": model, "input": input }).to_string().into_bytes();
        let request = Request::post("/api/v1/inference").header("content-type", "application/json");
        self.call(request, body).await
    }

    /// A device that answers every task with the same two numbers.
    async fn device(&self) {
        let id = "conn_test";
        let mut socket = self.store.sockets().open(id);
        let connecting = Connecting {
            connection: id.to_owned(),
            secret: self.key.clone(),
            base: "http://localhost".to_owned(),
        };
        for route in &self.routes {
            if let Entry::Connect(connect) = &route.entry {
                connect(route.app(&self.app), connecting.clone()).await.unwrap();
            }
        }
        self.message(id, encode(&hello())).await;
        let welcome = socket.recv().await.unwrap();
        assert_eq!(kind(&welcome).unwrap(), "welcome");
        let (app, routes) = (self.app.clone(), self.routes.clone());
        tokio::spawn(async move {
            while let Some(frame) = socket.recv().await {
                if let Ok(task) = serde_json::from_str::<TaskRun>(&frame) {
                    deliver(&app, &routes, id, encode(&done(task))).await;
                }
            }
        });
    }

    async fn message(&self, connection: &str, frame: String) {
        deliver(&self.app, &self.routes, connection, frame).await;
    }
}

/// What the gateway does with a frame.
async fn deliver(app: &App, routes: &[Route], connection: &str, frame: String) {
    let wanted = kind(&frame).unwrap().into_owned();
    for route in routes {
        if let Entry::Message(kind, handler) = &route.entry
            && *kind == wanted
        {
            let app = route.app(app);
            let connection = sessions::connection(&app, connection).await.unwrap().unwrap();
            handler(app, connection, frame.clone()).await.unwrap();
        }
    }
}

fn hello() -> Hello {
    Hello {
        uuid: "test".to_owned(),
        sdk_type: "rust".to_owned(),
        sdk_version: "0.1.0".to_owned(),
        name: Some("test".to_owned()),
        instance_type: InstanceType::User,
        hardware: Hardware::default(),
        capabilities: Capabilities {
            formats: vec!["onnx".to_owned()],
            inference: true,
            training: false,
            gpu: false,
            slots: 4,
            max_model_mb: 100,
        },
        share: Share::Own,
        resume: None,
    }
}

fn done(task: TaskRun) -> TaskDone {
    let tensor = Tensor::from_f32(vec![1, 2], &[0.25, 0.75]);
    TaskDone {
        task_id: task.task_id,
        attempt: task.attempt,
        fence: task.fence,
        outputs: Payload::Inline(vec![Named { name: "output".to_owned(), tensor }]),
        timings_ms: Default::default(),
        usage: Default::default(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_inference_on_a_device_is_within_its_budget() {
    let platform = Platform::start().await;
    let model = platform.upload().await;
    platform.device().await;
    // the first call fills the caches, as in a process that has served before
    let job = platform.infer(&model).await;
    assert_eq!(job["status"], "completed", "{job}");
    let mut costs = Vec::new();
    for _ in 0..20 {
        platform.counting.reset();
        let job = platform.infer(&model).await;
        assert_eq!(job["result"]["data"], json!([0.25, 0.75]), "{job}");
        costs.push(platform.counting.cost());
    }
    costs.sort_unstable_by_key(|cost| (cost.write_units, cost.reads));
    let median = costs[costs.len() / 2];
    assert!(median.write_units <= 4, "{median:?}");
    assert!(median.reads <= 3, "{median:?}");
    let lean = Cost { writes: 2, reads: 0, ..median };
    assert_eq!(median, lean, "two writes, no reads");
    // the caller's, and the acknowledgement's beside it, which share a round of the disk
    assert!(median.waits <= 2, "{median:?}");
}
