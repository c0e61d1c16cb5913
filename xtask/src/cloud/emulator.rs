//! The emulator's process, and a deployment in it.

use std::{
    fs::File,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::{process::Process, tools::printed};

/// MiniStack (MIT), which runs our template and our programs.
pub(super) const PACKAGES: [&str; 2] = ["ministack==1.5.33", "aws-sam-translator==1.115.0"];

const STACK: &str = "dcmp-cloud";
const STAGE: &str = "cloud";
const ARTIFACTS: &str = "dcmp-cloud-artifacts";

/// An emulator that serves on this machine only.
pub(super) struct Emulator {
    root: PathBuf,
    sam: PathBuf,
    python: PathBuf,
    endpoint: String,
    log: PathBuf,
    /// Runs as long as this is kept.
    _process: Process,
}

/// Where a deployment is reached.
pub(super) struct Deployed {
    /// Of the HTTP API, without a slash at the end.
    pub(super) api: String,
    /// Of the socket API.
    pub(super) socket: String,
    /// The operator's key.
    pub(super) admin_key: String,
}

impl Emulator {
    /// Started with the Python that has [`PACKAGES`]; `sam` is the environment of AWS's tools.
    pub(super) fn start(root: &Path, python: PathBuf, sam: PathBuf) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let endpoint = format!("http://127.0.0.1:{port}");
        let log = root.join("target/cloud.log");
        let out = File::create(&log)?;
        let mut command = Command::new(python.with_file_name("ministack"));
        command
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .envs(settings(&endpoint))
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out);
        let mut process = Process::spawn(&mut command)?;
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(!process.has_ended(), "the emulator ended; see {}", log.display());
            ensure!(
                begun.elapsed() < Duration::from_secs(60),
                "the emulator does not listen; see {}",
                log.display()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(Self { root: root.to_owned(), sam, python, endpoint, log, _process: process })
    }

    /// What `sam deploy` makes of `template.yaml`.
    pub(super) fn deploy(&self) -> Result<Deployed> {
        let begun = Instant::now();
        self.ask("s3", "create_bucket", &serde_json::json!({ "Bucket": ARTIFACTS }))?;
        let admin_key = "an operator's key, for the emulator alone";
        let hash = service::access::hash(admin_key);
        let emulated = format!("EmulatedGateway={}/_aws/execute-api", self.endpoint);
        let mut command = self.sam("deploy");
        command
            .args(["--stack-name", STACK, "--template-file", "template.yaml"])
            .args(["--s3-bucket", ARTIFACTS, "--region", "us-east-1"])
            .args(["--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"])
            .args(["--capabilities", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"])
            .args(["CAPABILITY_AUTO_EXPAND", "--parameter-overrides"])
            .args([&format!("Stage={STAGE}"), &format!("AdminKeyHash={hash}"), &emulated])
            .args(["LogLevel=info", "RequestsPerSecond=1000"]);
        printed(&mut command).with_context(|| self.see_log())?;
        let outputs = printed(self.sam("list").args([
            "stack-outputs",
            "--stack-name",
            STACK,
            "--output",
            "json",
        ]))?;
        let outputs: Vec<Value> = serde_json::from_slice(&outputs)?;
        let output = |name: &str| {
            let found = outputs.iter().find(|output| output["OutputKey"] == name);
            let value = found.and_then(|output| output["OutputValue"].as_str());
            value.map(str::to_owned).with_context(|| format!("the stack has no output {name}"))
        };
        println!("deployed in {:.0} s", begun.elapsed().as_secs_f64());
        Ok(Deployed {
            api: output("ApiUrl")?,
            socket: output("SocketUrl")?,
            admin_key: admin_key.to_owned(),
        })
    }

    /// Deletes the stack, and sees that nothing of it runs.
    pub(super) fn remove(&self) -> Result<()> {
        let stack = serde_json::json!({ "StackName": STACK });
        self.ask("cloudformation", "delete_stack", &stack)?;
        let begun = Instant::now();
        loop {
            let functions = self.ask("lambda", "list_functions", &serde_json::json!({}))?;
            let left = functions["Functions"].as_array().map_or(0, Vec::len);
            if left == 0 {
                println!("removed: no function is left");
                return Ok(());
            }
            if begun.elapsed() > Duration::from_secs(120) {
                bail!("{left} functions are left after the stack was deleted");
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// One call of AWS's API, with the answer as JSON.
    pub(super) fn ask(&self, service: &str, call: &str, parameters: &Value) -> Result<Value> {
        let script = "import boto3, json, sys\n\
                      answer = getattr(boto3.client(sys.argv[1]), sys.argv[2])(**json.loads(sys.argv[3]))\n\
                      print(json.dumps(answer, default=str))";
        let mut command = Command::new(&self.python);
        command.args(["-c", script, service, call, &parameters.to_string()]);
        command.envs(settings(&self.endpoint));
        Ok(serde_json::from_slice(&printed(&mut command)?)?)
    }

    /// The name of a function of the deployment.
    pub(super) fn function(&self, name: &str) -> String {
        format!("dcmp-{STAGE}-{name}")
    }

    /// Where to look when something failed.
    pub(super) fn see_log(&self) -> String {
        format!("the emulator's log is in {}", self.log.display())
    }

    fn sam(&self, what: &str) -> Command {
        let mut command = Command::new(self.sam.join("bin/sam"));
        command
            .current_dir(&self.root)
            .args([what])
            .envs(settings(&self.endpoint))
            .env("SAM_CLI_TELEMETRY", "0");
        command
    }
}

/// What AWS's tools and SDKs are told.
fn settings(endpoint: &str) -> [(&'static str, String); 5] {
    [
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
    ]
}
