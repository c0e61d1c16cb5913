//! A platform in a directory of its own, and devices that say what a test wants them to say.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use dcmp_service::{
    App, INSPECT_FUNCTION, Result, Settings, Signature, access, devices, fold,
    idempotency::Commit,
    inference::{self, Call, Submitted},
    jobs,
    models::{self, Inspected, Upload},
    sessions, tasks,
};
use domain::job::Job;
use embedded::{Connection, Embedded, Options};
use ports::{Item, Key, Ports};
use protocol::{
    rest::{
        admin::{NewCustomer, NewKey},
        devices as rest,
        inference::Request,
    },
    socket::{
        Capabilities, DeclineReason, DeviceTimings, Hardware, Heartbeat, Hello, InstanceType,
        Metrics, Payload, Share, TaskAck, TaskDeclined, TaskDone, TaskRun, Usage, Welcome, kind,
    },
    tensor::{Dtype, Named, Spec, Tensor},
};
use serde_json::{Value, json};

use crate::fakes::{Ahead, Recording, Sent};

pub struct Platform {
    pub app: App,
    pub customer: String,
    pub key: String,
    /// The key's id.
    pub key_id: String,
    store: Embedded,
    ahead_us: Arc<AtomicU64>,
    sent: Arc<Mutex<Vec<Sent>>>,
    _directory: tempfile::TempDir,
}

fn app(ports: Ports) -> App {
    let settings = Settings {
        version: "test".to_owned(),
        admin_key_hash: access::hash("admin"),
        chosen_keys: false,
        public_url: None,
        upload_limit: 1 << 20,
        lease: Default::default(),
    };
    App::new(ports, settings, None)
}

impl Platform {
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Embedded::open(directory.path(), Options::default()).unwrap();
        store.functions().register(INSPECT_FUNCTION, Duration::from_secs(10), |_| async {
            let spec = |name: &str, size| Spec {
                name: name.to_owned(),
                dtype: Dtype::Float32,
                shape: vec![None, size],
            };
            let signature = Signature {
                inputs: vec![spec("input", Some(2))],
                outputs: vec![spec("output", None)],
            };
            Ok(serde_json::to_vec(&Inspected::Signature(signature)).unwrap().into())
        });
        let mut ports = store.ports();
        let ahead_us = Arc::<AtomicU64>::default();
        ports.clock = Arc::new(Ahead(ports.clock, ahead_us.clone()));
        let sent = Arc::<Mutex<Vec<Sent>>>::default();
        ports.queues = Arc::new(Recording { queues: ports.queues, sent: sent.clone() });
        let app = app(ports);
        let (customer, key, key_id) = customer(&app).await;
        Self { app, customer, key, key_id, store, ahead_us, sent, _directory: directory }
    }

    /// What was sent to queues since the last call.
    pub fn sent(&self) -> Vec<Sent> {
        std::mem::take(&mut *self.sent.lock().unwrap())
    }

    /// Another process on the same store: it remembers nothing.
    pub fn another_process(&self) -> App {
        app(Ports::clone(&self.app.ports))
    }

    pub fn pass(&self, time: Duration) {
        self.ahead_us.fetch_add(time.as_micros() as u64, Ordering::Relaxed);
    }

    /// Another customer, with a key.
    pub async fn stranger(&self) -> (String, String) {
        let (customer, key, _) = customer(&self.app).await;
        (customer, key)
    }

    /// A model with two numbers in and any row out.
    pub async fn model(&self) -> String {
        let upload = Upload {
            bytes: "bytes".into(),
            file_name: Some("test.onnx".to_owned()),
            format: None,
            input_shape: None,
            output_shape: None,
            description: Default::default(),
        };
        models::upload(&self.app, &self.customer, upload, Commit::alone()).await.unwrap().id
    }

    /// A device that said hello.
    pub async fn device(&self, uuid: &str) -> Device<'_> {
        self.device_with(&self.key, hello(uuid)).await
    }

    pub async fn device_with(&self, key: &str, hello: Hello) -> Device<'_> {
        let mut device = self.connect(key).await;
        device.hello(hello).await.unwrap();
        device
    }

    /// A connection on which nothing was said.
    pub async fn connect(&self, key: &str) -> Device<'_> {
        let connection = self.app.ports.clock.id("conn");
        let socket = self.store.sockets().open(&connection);
        sessions::connect(&self.app, &connection, key, "http://localhost").await.unwrap();
        Device {
            platform: self,
            connection,
            socket: Some(socket),
            id: String::new(),
            token: String::new(),
        }
    }

    /// Submits a job that nobody waits for, and looks for a device for it.
    pub async fn submit(&self, model: &str) -> String {
        self.submit_rows(model, 1).await
    }

    pub async fn submit_rows(&self, model: &str, rows: usize) -> String {
        let call = self.call(true);
        let request = request(model, rows);
        let submitted = inference::submit(&self.app, call, &request).await.unwrap();
        let Submitted::Accepted(accepted) = submitted else { panic!("it did not wait") };
        jobs::dispatch(&self.app, &accepted.job_id).await.unwrap();
        accepted.job_id
    }

    pub fn call(&self, run_async: bool) -> Call<'_> {
        Call {
            customer: &self.customer,
            idempotency_key: None,
            body_hash: String::new(),
            run_async,
            wait_ms: None,
        }
    }

    pub async fn job(&self, id: &str) -> Job {
        jobs::load(&self.app, id).await.unwrap().unwrap()
    }

    /// The numbers of a job's result, as its owner is shown them.
    pub async fn result(&self, id: &str) -> Vec<f32> {
        let job = inference::get(&self.app, &self.customer, id).await.unwrap();
        let result: Value = serde_json::from_str(job.result.unwrap().get()).unwrap();
        serde_json::from_value(result["data"].clone()).unwrap()
    }

    /// Folds everything that happened so far.
    pub async fn fold(&self) {
        let changes = &self.app.ports.changes;
        loop {
            let batch = changes.read("test", 1000, Duration::ZERO).await.unwrap();
            let Some(last) = batch.last().map(|change| change.sequence) else { return };
            fold::batch(&self.app, batch).await.unwrap();
            changes.checkpoint("test", last).await.unwrap();
        }
    }

    /// The device as its owner is shown it.
    pub async fn show(&self, device: &str) -> rest::Device {
        devices::get(&self.app, &self.customer, device).await.unwrap()
    }

    pub async fn get(&self, partition: &str, sort: &str) -> Option<Item> {
        self.app.ports.records.get(&Key::new(partition, sort)).await.unwrap()
    }

    pub async fn has_file(&self, key: &str) -> bool {
        self.app.ports.blobs.head(key).await.unwrap().is_some()
    }
}

async fn customer(app: &App) -> (String, String, String) {
    let new = NewCustomer { name: "test".to_owned() };
    let customer = access::create_customer(app, &new, Commit::alone()).await.unwrap();
    let key =
        access::create_key(app, &customer.id, &NewKey::default(), Commit::alone()).await.unwrap();
    (customer.id, key.secret.unwrap(), key.id)
}

pub fn request(model: &str, rows: usize) -> Request {
    let input = json!({ "data": vec![1; 2 * rows], "shape": [rows, 2] });
    serde_json::from_value(json!({ "model_id": model, "input": input })).unwrap()
}

pub fn hello(uuid: &str) -> Hello {
    Hello {
        uuid: uuid.to_owned(),
        sdk_type: "rust".to_owned(),
        sdk_version: "0.1.0".to_owned(),
        name: Some(uuid.to_owned()),
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

/// Some checksum of a model.
pub fn checksum(number: usize) -> String {
    format!("sha256:{number:064x}")
}

/// One row, under the name of the model's output.
pub fn row(values: &[f32]) -> Vec<Named> {
    let tensor = Tensor::from_f32(vec![1, values.len()], values);
    vec![Named { name: "output".to_owned(), tensor }]
}

pub fn done(task: &TaskRun, outputs: Payload) -> TaskDone {
    TaskDone {
        task_id: task.task_id.clone(),
        attempt: task.attempt,
        fence: task.fence.clone(),
        outputs,
        timings_ms: DeviceTimings::default(),
        usage: Usage::default(),
    }
}

pub struct Device<'a> {
    platform: &'a Platform,
    pub connection: String,
    socket: Option<Connection>,
    pub id: String,
    /// Of its session.
    pub token: String,
}

impl Device<'_> {
    /// Who the platform takes it for.
    pub async fn known(&self) -> Option<Arc<sessions::Connection>> {
        sessions::connection(&self.platform.app, &self.connection).await.unwrap()
    }

    pub async fn hello(&mut self, hello: Hello) -> Result<()> {
        let known = self.known().await.unwrap();
        sessions::hello(&self.platform.app, &known, hello).await?;
        let welcome: Welcome = serde_json::from_str(&self.hears("welcome").await).unwrap();
        self.id = welcome.device_id;
        self.token = welcome.session_token;
        Ok(())
    }

    /// The next message, which is of this type.
    pub async fn hears(&mut self, wanted: &str) -> String {
        let frame = self.next().await.unwrap();
        assert_eq!(kind(&frame).unwrap(), wanted, "{frame}");
        frame
    }

    /// The next message; `None` once the platform closed the connection.
    pub async fn next(&mut self) -> Option<String> {
        let next = self.socket.as_mut().unwrap().recv();
        tokio::time::timeout(Duration::from_secs(60), next).await.unwrap()
    }

    /// Whether nothing was said to it.
    pub fn hears_nothing(&mut self) -> bool {
        self.socket.as_mut().unwrap().try_recv().is_none()
    }

    pub async fn task(&mut self) -> TaskRun {
        serde_json::from_str(&self.hears("taskRun").await).unwrap()
    }

    pub async fn beats(&self, slots_free: u32, models: Vec<String>) {
        let beat = Heartbeat { slots_free, models, metrics: Metrics::default() };
        let known = self.known().await.unwrap();
        sessions::heartbeat(&self.platform.app, &known, beat).await.unwrap();
    }

    /// Sends a result; whether it counted.
    pub async fn done(&mut self, message: TaskDone) -> bool {
        let known = self.known().await.unwrap();
        tasks::done(&self.platform.app, &known, message).await.unwrap();
        let ack: TaskAck = serde_json::from_str(&self.hears("taskAck").await).unwrap();
        ack.accepted
    }

    pub async fn declines(&mut self, task: &TaskRun, reason: DeclineReason) {
        let message = TaskDeclined {
            task_id: task.task_id.clone(),
            attempt: task.attempt,
            fence: task.fence.clone(),
            reason,
        };
        let known = self.known().await.unwrap();
        tasks::declined(&self.platform.app, &known, message).await.unwrap();
    }

    /// The connection vanishes and nobody notices.
    pub fn vanish(&mut self) {
        self.socket = None;
    }

    /// The socket closes.
    pub async fn disconnect(&mut self) {
        self.vanish();
        sessions::disconnect(&self.platform.app, &self.connection).await.unwrap();
    }

    pub async fn stored(&self) -> domain::device::Device {
        let item = self.platform.get(&format!("DEV#{}", self.id), "HEAD").await.unwrap();
        item.decode().unwrap()
    }
}
