//! Real processes for end-to-end tests: a platform, devices, and a client. Everything is ended when
//! it is dropped.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "tests")]

pub mod heavy;

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use reqwest::{Method, StatusCode};
use rustix::process::{Pid, Signal, WaitOptions, waitpid};
use serde_json::{Value, json};

pub const DCMP: &str = env!("CARGO_BIN_EXE_dcmp");

/// A file of `fixtures/`.
pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name)).unwrap()
}

/// A JSON file of `fixtures/`.
pub fn fixture_json(name: &str) -> Value {
    serde_json::from_slice(&fixture(name)).unwrap()
}

/// A child process that does not outlive its owner; what it says on standard error is kept.
pub struct Process {
    child: Child,
    said: Arc<Mutex<String>>,
    /// Reads what it says, to the end.
    listening: Option<JoinHandle<()>>,
}

impl Process {
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (kept, mut stderr) = (said.clone(), child.stderr.take().unwrap());
        let listening = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stderr.read(&mut buffer) {
                kept.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        });
        Self { child, said, listening: Some(listening) }
    }

    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Sends a signal, by number as in `kill`; a process that is stopped has stopped then.
    pub fn signal(&self, signal: i32) {
        let status = Command::new("kill")
            .args([format!("-{signal}"), self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
        if signal == Signal::STOP.as_raw() {
            // it is under way when `kill` returns, and a quick device still answers
            let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
            waitpid(id, WaitOptions::UNTRACED).unwrap();
        }
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end, and waits for its exit code.
    pub fn end(&mut self) -> Option<i32> {
        self.signal(15);
        self.code()
    }

    /// Waits for its exit code, and until all that it said is known.
    pub fn code(&mut self) -> Option<i32> {
        let code = self.child.wait().unwrap().code();
        if let Some(listening) = self.listening.take() {
            listening.join().unwrap();
        }
        code
    }

    /// The most memory that it had at a time, in bytes (Linux).
    pub fn most_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // a stopped process cannot be waited for before it is killed; kill works on both
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- a process said:\n{}", self.said());
        }
    }
}

/// How a platform is started.
pub struct Options {
    pub own_device: bool,
    pub heartbeat_ms: u64,
    pub lease_ms: u64,
    /// What is logged, as in `DCMP_LOG`.
    pub log: Option<&'static str>,
    /// Where callers reach it, when it is not where it listens.
    pub public_url: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            own_device: true,
            heartbeat_ms: 5_000,
            lease_ms: 15_000,
            log: None,
            public_url: None,
        }
    }
}

/// `dcmp up` in a directory of its own.
pub struct Platform {
    pub url: String,
    pub client: Client,
    pub admin: Client,
    pub process: Process,
    pub data: PathBuf,
    options: Options,
    _directory: tempfile::TempDir,
}

pub const KEY: &str = "test-api-key";
pub const ADMIN: &str = "test-admin-key";

impl Platform {
    pub fn start() -> Self {
        Self::with(Options::default())
    }

    pub fn without_own_device() -> Self {
        Self::with(Options { own_device: false, ..Options::default() })
    }

    pub fn with(options: Options) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let (process, url) = launch(&data, &options);
        let client = Client::new(&url, "x-api-key", KEY);
        let admin = Client::new(&url, "x-admin-key", ADMIN);
        Self { url, client, admin, process, data, options, _directory: directory }
    }

    /// `kill -9`, then a new process on the same data, on another port.
    pub fn crash_and_restart(&mut self) {
        self.process.kill();
        self.restart();
    }

    /// A new process on the same data.
    pub fn restart(&mut self) {
        let (process, url) = launch(&self.data, &self.options);
        self.process = process;
        self.client = Client::new(&url, "x-api-key", KEY);
        self.admin = Client::new(&url, "x-admin-key", ADMIN);
        self.url = url;
    }

    /// Another customer with a key of its own.
    pub async fn stranger(&self) -> Client {
        self.customer(json!({})).await
    }

    /// Another customer with a key as described.
    pub async fn customer(&self, key: Value) -> Client {
        let (status, customer) =
            self.admin.post("/admin/customers", json!({ "name": "stranger" })).await;
        assert_eq!(status, StatusCode::CREATED, "{customer}");
        let path = format!("/admin/customers/{}/keys", customer["id"].as_str().unwrap());
        let (status, key) = self.admin.post(&path, key).await;
        assert_eq!(status, StatusCode::CREATED, "{key}");
        Client::new(&self.url, "x-api-key", key["secret"].as_str().unwrap())
    }

    /// `dcmp device` for the first customer, once the platform lists it as idle.
    pub async fn device(&self, name: &str) -> Device {
        self.device_with(name, &[]).await
    }

    pub async fn device_with(&self, name: &str, flags: &[&str]) -> Device {
        let device = Device::spawn(self, name, flags);
        self.until_listed(name, "idle").await;
        device
    }

    /// Waits until the device of that name has that status; the answer is the device.
    pub async fn until_listed(&self, name: &str, status: &str) -> Value {
        eventually(&format!("device {name} {status}"), || async {
            let (_, list) = self.client.get("/devices").await;
            let devices = list["devices"].as_array().unwrap().clone();
            devices.into_iter().find(|d| d["name"] == name && d["status"] == status)
        })
        .await
    }

    /// Uploads a fixture; the answer is the model's id.
    pub async fn upload(&self, file: &str) -> String {
        self.client.upload(file).await
    }
}

fn launch(data: &Path, options: &Options) -> (Process, String) {
    let mut command = Command::new(DCMP);
    command
        .args(["up", "--listen", "127.0.0.1:0", "--api-key", KEY, "--admin-key", ADMIN])
        .arg("--data")
        .arg(data)
        .args(["--heartbeat-ms", &options.heartbeat_ms.to_string()])
        .args(["--lease-ms", &options.lease_ms.to_string()])
        .env_remove("DCMP_URL")
        .stdout(Stdio::piped());
    if let Some(log) = options.log {
        command.env("DCMP_LOG", log);
    }
    if let Some(url) = &options.public_url {
        command.args(["--public-url", url]);
    }
    if !options.own_device {
        command.arg("--no-own-device");
    }
    let mut process = Process::spawn(&mut command);
    let stdout = process.child.stdout.take().unwrap();
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("ready ").map(str::to_owned);
    let url = url.unwrap_or_else(|| panic!("the platform did not start: {}", process.said()));
    (process, url)
}

/// `dcmp device` in a directory of its own.
pub struct Device {
    pub process: Process,
    _directory: tempfile::TempDir,
}

impl Device {
    pub fn spawn(platform: &Platform, name: &str, flags: &[&str]) -> Self {
        Self::spawn_with(platform, name, flags, &[])
    }

    /// With these variables.
    pub fn spawn_with(
        platform: &Platform,
        name: &str,
        flags: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(DCMP);
        command
            .args(["device", "--url", &platform.url, "--api-key", KEY, "--name", name])
            .arg("--data")
            .arg(directory.path())
            .args(flags)
            .envs(variables.iter().copied())
            .stdout(Stdio::null());
        Self { process: Process::spawn(&mut command), _directory: directory }
    }
}

/// A caller with one key.
#[derive(Clone)]
pub struct Client {
    pub http: reqwest::Client,
    pub url: String,
    header: &'static str,
    pub secret: String,
}

impl Client {
    pub fn new(url: &str, header: &'static str, secret: &str) -> Self {
        // the second call finds it installed
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { http, url: url.to_owned(), header, secret: secret.to_owned() }
    }

    /// A request with this caller's key.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}/api/v1{path}", self.url))
            .header(self.header, &self.secret)
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::DELETE, path)).await
    }

    /// Uploads a fixture; the answer is the model's id.
    pub async fn upload(&self, file: &str) -> String {
        let (status, model) = self.upload_bytes(file, fixture(file)).await;
        assert_eq!(status, StatusCode::CREATED, "{model}");
        model["id"].as_str().unwrap().to_owned()
    }

    pub async fn upload_bytes(&self, name: &str, bytes: Vec<u8>) -> (StatusCode, Value) {
        let part = reqwest::multipart::Part::bytes(bytes).file_name(name.to_owned());
        let form = reqwest::multipart::Form::new().part("model", part);
        answer(self.request(Method::POST, "/models").multipart(form)).await
    }

    /// One inference on a tensor.
    pub async fn infer(&self, model: &str, input: &Value) -> (StatusCode, Value) {
        self.post("/inference", json!({ "model_id": model, "input": input })).await
    }

    /// Waits until the job has ended; the answer is the job.
    pub async fn until_ended(&self, job: &str) -> Value {
        let path = format!("/inference/{job}");
        eventually(&format!("the end of {job}"), || async {
            let (status, job) = self.get(&path).await;
            assert_eq!(status, StatusCode::OK, "{job}");
            let open = job["status"] == "queued" || job["status"] == "running";
            (!open).then_some(job)
        })
        .await
    }
}

/// Status and JSON body; `null` for an empty one.
pub async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let bytes = response.bytes().await.unwrap();
    let body = if bytes.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()))
    };
    (status, body)
}

/// Tries until there is an answer; gives up after a time that only a hang takes.
pub async fn eventually<T, F>(what: &str, mut attempt: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    for _ in 0..3_000 {
        if let Some(answer) = attempt().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("waited in vain for {what}");
}

/// The first input of `fixtures/mlp.json` and the output that ONNX Runtime gives.
pub fn mlp_case() -> (Value, Vec<f64>) {
    let cases = fixture_json("mlp.json");
    let case = &cases["cases"][0];
    (case["input"].clone(), numbers(&case["output"]["data"]))
}

pub fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

/// Whether a result is the expected one, to float32's precision.
#[track_caller]
pub fn assert_close(result: &Value, expected: &[f64]) {
    let found = numbers(&result["data"]);
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
    }
}
