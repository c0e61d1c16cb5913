//! A platform in a directory of its own, and devices that say what a test wants them to say.

#![allow(dead_code, reason = "each test binary uses a part")]

pub mod batches;
mod disk;
mod engine;
mod fakes;

pub use disk::Disk;
pub use engine::Gate;
pub use fakes::Sent;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use dcmp_service::{
    App, Engine, INSPECT_FUNCTION, POSTPROCESS_FUNCTION, PREPROCESS_FUNCTION, Result, Settings,
    Signature, WORK_QUEUE, access,
    adapters::{Asked, Outputs, Postprocessed},
    devices, fold,
    idempotency::Commit,
    inference::{self, Call, Submitted},
    jobs,
    models::{self, About, Inspected, Upload},
    parked, sessions, tasks,
};
use domain::job::Job;
use embedded::{Connection, Embedded, Options};
use ports::{Item, Key, Message, Ports, Query};
use protocol::{
    rest::{
        admin::{NewCustomer, NewKey},
        devices as rest,
        inference::Request,
        models::Summary,
    },
    socket::{
        Capabilities, DeclineReason, DeviceTimings, Hardware, Heartbeat, Hello, InstanceType,
        Metrics, Payload, Share, TaskAck, TaskDeclined, TaskDone, TaskRun, Usage, Welcome, kind,
    },
    tensor::{Dtype, Named, Spec, Tensor},
};
use serde_json::{Value, json};

use self::fakes::{Ahead, Recording};

pub struct Platform {
    pub app: App,
    pub customer: String,
    pub key: String,
    /// The key's id.
    pub key_id: String,
    store: Embedded,
    /// What the table's owner does about the disk.
    pub disk: Arc<Disk>,
    ahead_us: Arc<AtomicU64>,
    sent: Arc<Mutex<Vec<Sent>>>,
    /// How many numbers in a row the next model gives; `None` for any.
    width: Arc<Mutex<Option<usize>>>,
    /// What the next model calls its output.
    output: Arc<Mutex<String>>,
    _directory: tempfile::TempDir,
}

fn app(ports: Ports, engine: Option<Arc<dyn Engine>>) -> App {
    let settings = Settings {
        version: "test".to_owned(),
        admin_key_hash: access::hash("admin"),
        chosen_keys: false,
        public_url: None,
        bounded_answers: false,
        upload_limit: 1 << 20,
        uploads: Default::default(),
        lease: Default::default(),
    };
    App::new(ports, settings, engine)
}

impl Platform {
    pub async fn start() -> Self {
        Self::with(None).await
    }

    /// With an own device.
    pub async fn with_engine(engine: &Arc<Gate>) -> Self {
        Self::with(Some(engine.clone())).await
    }

    async fn with(engine: Option<Arc<dyn Engine>>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Embedded::open(directory.path(), Options::default()).unwrap();
        let width = Arc::<Mutex<Option<usize>>>::default();
        let output = Arc::new(Mutex::new("output".to_owned()));
        let (inspected, called) = (width.clone(), output.clone());
        store.functions().register(INSPECT_FUNCTION, Duration::from_secs(10), move |_| {
            let spec = |name: &str, size| Spec {
                name: name.to_owned(),
                dtype: Dtype::Float32,
                shape: vec![None, size],
            };
            let signature = Signature {
                inputs: vec![spec("input", Some(2))],
                outputs: vec![spec(&called.lock().unwrap(), *inspected.lock().unwrap())],
            };
            async {
                Ok(serde_json::to_vec(&Inspected::Accepted {
                    signature: Some(signature),
                    profile: None,
                    unprofiled: None,
                })
                .unwrap()
                .into())
            }
        });
        for function in [PREPROCESS_FUNCTION, POSTPROCESS_FUNCTION] {
            // every adapter can be used with these models
            let usable = |_| async { Ok(bytes::Bytes::from_static(b"\"usable\"")) };
            store.functions().register(function, Duration::from_secs(10), usable);
        }
        let mut ports = store.ports();
        let disk = Arc::new(Disk::new(ports.records));
        ports.records = disk.clone();
        let ahead_us = Arc::<AtomicU64>::default();
        ports.clock = Arc::new(Ahead(ports.clock, ahead_us.clone()));
        let sent = Arc::<Mutex<Vec<Sent>>>::default();
        ports.queues = Arc::new(Recording { queues: ports.queues, sent: sent.clone() });
        let app = app(ports, engine);
        let (customer, key, key_id) = customer(&app).await;
        let _directory = directory;
        Self { app, customer, key, key_id, store, disk, ahead_us, sent, width, output, _directory }
    }

    /// From now on this looks at models in the place of `models-inspect`.
    pub fn inspector<F, A>(&self, look: F)
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = ports::Result<Inspected>> + Send + 'static,
    {
        let limit = Duration::from_secs(600);
        self.store.functions().register(INSPECT_FUNCTION, limit, move |_| {
            let looked = look();
            async { Ok(serde_json::to_vec(&looked.await?).unwrap().into()) }
        });
    }

    /// From now on no adapter before a model can be used.
    pub fn no_adapter_fits(&self) {
        let refused = br#"{"refused": [{"path": "preprocessing", "message": "does not fit"}]}"#;
        let limit = Duration::from_secs(10);
        self.store.functions().register(PREPROCESS_FUNCTION, limit, move |_| async {
            Ok(bytes::Bytes::from_static(refused))
        });
    }

    /// From now on this puts results into words.
    pub fn postprocessor<F, A>(&self, put: F)
    where
        F: Fn(Asked<Outputs>) -> A + Send + Sync + 'static,
        A: Future<Output = ports::Result<Postprocessed>> + Send + 'static,
    {
        let limit = Duration::from_secs(600);
        self.store.functions().register(POSTPROCESS_FUNCTION, limit, move |asked| {
            let put = put(serde_json::from_slice(&asked).unwrap());
            async { Ok(serde_json::to_vec(&put.await?).unwrap().into()) }
        });
    }

    /// Every file of the object store, those of unfinished uploads included.
    pub fn files(&self) -> Vec<PathBuf> {
        fn below(folder: &Path) -> Vec<PathBuf> {
            let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            entries.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).collect()
        }
        let folders =
            ["blobs", "uploads", "incoming"].map(|name| self._directory.path().join(name));
        folders.iter().flat_map(|folder| below(folder)).collect()
    }

    /// Until it is called again, no whole file can be written, read or removed.
    pub fn turn_files(&self) {
        let [blobs, away] = ["blobs", "away"].map(|name| self._directory.path().join(name));
        if away.exists() {
            std::fs::remove_file(&blobs).unwrap();
            std::fs::rename(away, blobs).unwrap();
        } else {
            std::fs::rename(&blobs, away).unwrap();
            std::fs::write(blobs, "in the way").unwrap();
        }
    }

    /// What was sent to queues since the last call.
    pub fn sent(&self) -> Vec<Sent> {
        std::mem::take(&mut *self.sent.lock().unwrap())
    }

    /// Another process on the same store: it remembers nothing.
    pub fn another_process(&self) -> App {
        app(Ports::clone(&self.app.ports), None)
    }

    /// The same with an own device.
    pub fn another_process_with(&self, engine: &Arc<Gate>) -> App {
        app(Ports::clone(&self.app.ports), Some(engine.clone()))
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
        self.upload(About::default(), None).await.unwrap().id
    }

    /// A model of which its owner says this, or the next version of one.
    pub async fn upload(&self, about: About, version_of: Option<&str>) -> Result<Summary> {
        let upload = Upload {
            bytes: "bytes".into(),
            file_name: Some("test.onnx".to_owned()),
            format: None,
            given: Default::default(),
            version_of: version_of.map(str::to_owned),
            about,
        };
        models::upload(&self.app, &self.customer, upload, Commit::alone()).await
    }

    /// How many numbers in a row the models give that are uploaded from now on.
    pub fn gives(&self, width: usize) {
        *self.width.lock().unwrap() = Some(width);
    }

    /// What the models call their output that are uploaded from now on.
    pub fn names_output(&self, name: &str) {
        *self.output.lock().unwrap() = name.to_owned();
    }

    /// A model that gives so many numbers for each row.
    pub async fn model_of_width(&self, width: usize) -> String {
        self.gives(width);
        self.model().await
    }

    /// Every job that is on record.
    pub async fn jobs(&self) -> Vec<String> {
        let changes = self.app.ports.changes.read("jobs", 1000, Duration::ZERO).await.unwrap();
        let mut jobs: Vec<_> = changes
            .iter()
            .filter_map(|change| change.key.partition.strip_prefix("JOB#").map(str::to_owned))
            .collect();
        jobs.sort_unstable();
        jobs.dedup();
        let mut recorded = Vec::new();
        for id in jobs {
            if jobs::load(&self.app, &id).await.unwrap().is_some() {
                recorded.push(id);
            }
        }
        recorded
    }

    /// Some messages of the queue of work.
    pub async fn receive(&self) -> Vec<Message> {
        let hidden = Duration::from_secs(60);
        self.app.ports.queues.receive(WORK_QUEUE, 10, hidden, Duration::ZERO).await.unwrap()
    }

    /// Does what the queue of work asks for, until nothing in it is due; how many messages there were.
    pub async fn work(&self) -> usize {
        let queues = &self.app.ports.queues;
        let mut handled = 0;
        loop {
            let batch = self.receive().await;
            if batch.is_empty() {
                return handled;
            }
            for Message { receipt, body, .. } in batch {
                match body["job"].as_str() {
                    Some(job) => jobs::dispatch(&self.app, job).await.unwrap(),
                    None => parked::look(&self.app, text(&body["waiting"])).await.unwrap(),
                }
                queues.delete(WORK_QUEUE, &receipt).await.unwrap();
                handled += 1;
            }
        }
    }

    /// A request as its caller makes it.
    pub async fn infer(&self, body: Value) -> Result<Submitted> {
        self.infer_once(body, None).await
    }

    /// A request with an `Idempotency-Key`.
    pub async fn infer_once(&self, body: Value, key: Option<&str>) -> Result<Submitted> {
        let call = Call { idempotency_key: key, ..self.call(false) };
        inference::submit(&self.app, call, &serde_json::from_value(body).unwrap()).await
    }

    /// Submits a job that nobody waits for, with more in its body; its id.
    pub async fn accepted(&self, model: &str, more: Value) -> String {
        let mut body = json!({ "model_id": model, "input": rows(1), "async": true });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        match self.infer(body).await.unwrap() {
            Submitted::Accepted(accepted) => accepted.job_id,
            Submitted::Ended(job) => panic!("it was waited for: {job:?}"),
        }
    }

    /// The sort keys of what waits for a device of the customer's.
    pub async fn waiting(&self) -> Vec<String> {
        self.rows(&format!("WAIT#{}", self.customer)).await
    }

    /// The sort keys of a partition.
    pub async fn rows(&self, partition: &str) -> Vec<String> {
        let query = Query::new(partition, "", 1000);
        let page = self.app.ports.records.query(query).await.unwrap();
        page.items.into_iter().map(|(sort, _)| sort).collect()
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
            let Some(last) = batch.last().map(|change| change.place.clone()) else { return };
            fold::batch(&self.app, batch).await.unwrap();
            changes.checkpoint("test", &last).await.unwrap();
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

pub fn request(model: &str, count: usize) -> Request {
    serde_json::from_value(json!({ "model_id": model, "input": rows(count) })).unwrap()
}

/// An input for the test's models.
pub fn rows(count: usize) -> Value {
    json!({ "data": vec![1; 2 * count], "shape": [count, 2] })
}

#[track_caller]
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text"))
}

/// A device with so many slots.
pub fn with_slots(uuid: &str, slots: u32) -> Hello {
    let mut hello = hello(uuid);
    hello.capabilities.slots = slots;
    hello
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
            batches: true,
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

    /// Whether nothing more was said to it; what was is looked at.
    pub fn hears_nothing_or(&mut self, mut look: impl FnMut(&str)) -> bool {
        match self.socket.as_mut().unwrap().try_recv() {
            Some(frame) => {
                look(&frame);
                false
            }
            None => true,
        }
    }

    /// The tasks that were sent to it and are there.
    pub fn tasks(&mut self) -> Vec<TaskRun> {
        let socket = self.socket.as_mut().unwrap();
        let frames = std::iter::from_fn(|| socket.try_recv());
        let tasks = frames.filter(|frame| kind(frame).unwrap() == "taskRun");
        tasks.map(|frame| serde_json::from_str(&frame).unwrap()).collect()
    }

    /// Finishes a task.
    pub async fn finishes(&mut self, task: &TaskRun) {
        let known = self.known().await.unwrap();
        let message = done(task, Payload::Inline(row(&[0.5])));
        tasks::done(&self.platform.app, &known, message).await.unwrap();
    }

    pub async fn task(&mut self) -> TaskRun {
        serde_json::from_str(&self.hears("taskRun").await).unwrap()
    }

    pub async fn beats(&self, slots_free: u32, models: Vec<String>) {
        self.says(Heartbeat { slots_free, batches: 0, models, metrics: Metrics::default() }).await;
    }

    pub async fn says(&self, beat: Heartbeat) {
        let known = self.known().await.unwrap();
        sessions::heartbeat(&self.platform.app, &known, beat).await.unwrap();
    }

    /// The next task, whatever else is said before.
    pub async fn next_task(&mut self) -> TaskRun {
        loop {
            let frame = self.next().await.unwrap();
            if kind(&frame).unwrap() == "taskRun" {
                return serde_json::from_str(&frame).unwrap();
            }
        }
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
