//! What everybody does with a deployment, once: the operator, a customer, their devices, and the
//! platform by itself. Every step is seen from outside.

use std::{
    ffi::OsStr,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::emulator::{Deployed, Emulator};
use crate::{
    client::{Api, answer},
    heavy,
    process::Process,
    tools::printed,
};

/// More than one request may carry, so that it comes in parts.
const LARGE: u64 = 12 << 20;

/// Calls at one time.
const TOGETHER: usize = 8;

struct Journey<'a> {
    deployed: &'a Deployed,
    emulator: &'a Emulator,
    dcmp: &'a Path,
    directory: tempfile::TempDir,
    /// Of the customer.
    key: String,
    customer: Api,
}

pub(super) async fn run(deployed: &Deployed, emulator: &Emulator, dcmp: &Path) -> Result<()> {
    step("health is open", async {
        let open = Api::new(&deployed.api, "x-unused", "nothing")?;
        let health = open.get("/health").await?;
        ensure!(health["status"] == "healthy" || health["status"] == "ok", "{health}");
        Ok(())
    })
    .await?;
    let key = step("the operator makes a customer and a key", first_key(deployed)).await?;
    let customer = Api::new(&deployed.api, "X-API-Key", &key)?;
    let directory = tempfile::tempdir()?;
    let journey = Journey { deployed, emulator, dcmp, directory, key, customer };
    step("a wrong key is refused", journey.wrong_key()).await?;
    let mut doomed = step("a device connects", journey.device("first")).await?;
    let model = step("a model is uploaded", journey.upload("mlp.onnx", &[])).await?;
    step("a device answers", journey.infer(&model, "own")).await?;
    step("the platform's own device answers", journey.infer(&model, "platform")).await?;
    step("a picture becomes labels", journey.picture()).await?;
    step("a large model comes in parts", journey.parts()).await?;
    step("a job goes on without its caller", journey.goes_on(&model)).await?;
    step("a batch is cut, worked on and ended", journey.batch(&model)).await?;
    step("a dataset is the inputs of a batch", journey.dataset(&model)).await?;
    step("a batch is cancelled", journey.cancels_batch(&model)).await?;
    let other = journey.takes_over(&mut doomed, &model);
    let other = step("a device is stopped, another takes over", other).await?;
    // before the device leaves, and the lists with it
    step("the feed is folded", journey.folded()).await?;
    drop(other);
    step("a job is cancelled", journey.cancel(&model)).await?;
    step("a schedule fires", journey.schedule()).await
}

/// Runs a step, and says how it went.
async fn step<T>(name: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let begun = Instant::now();
    print!("{name} … ");
    std::io::stdout().flush()?;
    let done = work.await;
    println!(
        "{} ({:.1} s)",
        if done.is_ok() { "yes" } else { "NO" },
        begun.elapsed().as_secs_f64()
    );
    done.with_context(|| name.to_owned())
}

async fn first_key(deployed: &Deployed) -> Result<String> {
    let operator = Api::new(&deployed.api, "X-Admin-Key", &deployed.admin_key)?;
    let customer = operator.post("/admin/customers", &json!({ "name": "cloud" })).await?;
    let path = format!("/admin/customers/{}/keys", text(&customer["id"])?);
    let key = operator.post(&path, &json!({ "name": "first" })).await?;
    Ok(text(&key["secret"])?.to_owned())
}

impl Journey<'_> {
    async fn wrong_key(&self) -> Result<()> {
        let stranger = Api::new(&self.deployed.api, "X-API-Key", "dcmp_nobody")?;
        let (status, body) = answer(stranger.request(Method::GET, "/models")).await?;
        ensure!(
            status == StatusCode::UNAUTHORIZED && body["error"]["code"] == "AUTH_INVALID",
            "{status}: {body}"
        );
        Ok(())
    }

    /// A real `dcmp device` over the socket API; returns when it is listed.
    async fn device(&self, name: &str) -> Result<Process> {
        let log = fs::File::create(self.directory.path().join(format!("{name}.log")))?;
        let mut command = Command::new(self.dcmp);
        command
            .args(["device", "--url", &self.deployed.socket, "--name", name, "--data"])
            .arg(self.directory.path().join(name))
            .env("DCMP_API_KEY", &self.key)
            .stdout(Stdio::null())
            .stderr(log);
        let process = Process::spawn(&mut command)?;
        let listed = |body: &Value| {
            let devices = body["devices"].as_array()?;
            devices.iter().find(|one| one["name"] == name && one["status"] == "idle").map(drop)
        };
        self.customer.until("/devices", "the device in the list", listed).await?;
        Ok(process)
    }

    async fn upload(&self, file: &str, fields: &[(&'static str, String)]) -> Result<String> {
        let bytes = fs::read(fixture(file))?;
        let part = reqwest::multipart::Part::bytes(bytes).file_name(file.to_owned());
        let mut form = reqwest::multipart::Form::new().part("model", part);
        for (name, value) in fields {
            form = form.text(*name, value.clone());
        }
        let request = self.customer.request(Method::POST, "/models").multipart(form);
        let (status, model) = answer(request).await?;
        ensure!(status == StatusCode::CREATED, "{status}: {model}");
        Ok(text(&model["id"])?.to_owned())
    }

    async fn infer(&self, model: &str, placement: &str) -> Result<()> {
        let case = mlp_case()?;
        let body = json!({ "model_id": model, "input": case["input"], "placement": placement });
        let job = self.customer.post("/inference", &body).await?;
        ensure!(job["status"] == "completed", "{job}");
        close(&job["result"]["data"], &case["output"]["data"])
    }

    async fn picture(&self) -> Result<()> {
        let cases: Value = serde_json::from_slice(&fs::read(fixture("adapters/cases.json"))?)?;
        let fields = [
            ("labels", cases["labels"].to_string()),
            ("preprocessing", "image_classification".to_owned()),
            ("postprocessing", "top_k_labels".to_owned()),
        ];
        let model = self.upload("adapters/pictures.onnx", &fields).await?;
        let case = &cases["answers"][0];
        let picture = &cases["files"][text(&case["file"])?];
        let body = json!({ "model_id": model, "input": { "image": picture } });
        let job = self.customer.post("/inference", &body).await?;
        let (best, wanted) = (&job["result"]["predictions"][0], &case["predictions"][0]);
        ensure!(best["label"] == wanted["label"], "{job}");
        let scores = [best, wanted].map(|one| one["score"].as_f64().unwrap_or(f64::NAN));
        ensure!((scores[0] - scores[1]).abs() < 1e-3, "{job}, and {wanted} was expected");
        Ok(())
    }

    /// Uploads by the command, which chooses parts by itself.
    async fn parts(&self) -> Result<()> {
        let file = self.directory.path().join("large.onnx");
        let mut out = std::io::BufWriter::new(fs::File::create(&file)?);
        heavy::write(LARGE, &mut out)?;
        drop(out);
        let model = self.command(["model", "upload"], &[file.as_os_str()])?;
        ensure!(model["status"] == "ready", "{model}");
        let download = self.directory.path().join("back.onnx");
        let to = [text(&model["id"])?.as_ref(), "--output".as_ref(), download.as_os_str()];
        self.command(["model", "download"], &to)?;
        ensure!(fs::read(&file)? == fs::read(&download)?, "it came back otherwise");
        Ok(())
    }

    /// What the command answers to `--json`.
    fn command(&self, words: [&str; 2], more: &[&OsStr]) -> Result<Value> {
        let mut command = Command::new(self.dcmp);
        command
            .args(words)
            .args(more)
            .args(["--json", "--url", &self.deployed.api])
            .env("DCMP_API_KEY", &self.key);
        let said = printed(&mut command)?;
        if said.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&said)?) }
    }

    async fn goes_on(&self, model: &str) -> Result<()> {
        let case = mlp_case()?;
        let body = json!({ "model_id": model, "input": case["input"], "async": true });
        let job = self.customer.post("/inference", &body).await?;
        let path = format!("/inference/{}", text(&job["job_id"])?);
        let done = |job: &Value| (job["status"] == "completed").then(|| job["result"].clone());
        let result = self.customer.until(&path, "the job's end", done).await?;
        close(&result["data"], &case["output"]["data"])
    }

    /// The only device does not answer any more, and is killed when another is there, which stays.
    /// A batch of a request's inputs, one of which is wrong.
    async fn batch(&self, model: &str) -> Result<()> {
        let case = mlp_case()?;
        let mut inputs = vec![case["input"].clone(); 300];
        inputs[7] = json!("no tensor");
        let body = json!({ "model_id": model, "inputs": inputs });
        let results = self.results(&body, 300).await?;
        for (index, item) in results.iter().enumerate() {
            match index {
                7 => ensure!(item["status"] == "failed", "{item}"),
                _ => close(&item["result"]["data"], &case["output"]["data"])?,
            }
        }
        Ok(())
    }

    /// A batch of the rows of a table.
    async fn dataset(&self, model: &str) -> Result<()> {
        let case = mlp_case()?;
        let cells = case["input"]["data"].as_array().context("an input without numbers")?;
        let row = cells.iter().map(Value::to_string).collect::<Vec<_>>().join(",");
        let header = (0..cells.len()).map(|n| format!("x{n}")).collect::<Vec<_>>().join(",");
        let table = format!("{header}\n{}", format!("{row}\n").repeat(500));
        let part = reqwest::multipart::Part::bytes(table.into_bytes()).file_name("rows.csv");
        let form = reqwest::multipart::Form::new().part("file", part);
        let (status, dataset) =
            answer(self.customer.request(Method::POST, "/datasets").multipart(form)).await?;
        ensure!(status == StatusCode::CREATED, "{status}: {dataset}");
        let body = json!({ "model_id": model, "inputs_dataset_id": dataset["id"] });
        for item in self.results(&body, 500).await? {
            close(&item["result"]["data"], &case["output"]["data"])?;
        }
        Ok(())
    }

    /// The results of a batch, all of them, once it has ended.
    async fn results(&self, body: &Value, count: usize) -> Result<Vec<Value>> {
        let accepted = self.customer.post("/inference/batch", body).await?;
        let path = format!("/inference/{}", text(&accepted["job_id"])?);
        let ended = |batch: &Value| (batch["status"] == "completed").then_some(());
        self.customer.until(&path, "the end of a batch", ended).await?;
        let (mut results, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.customer.get(&format!("{path}/results?limit=200{cursor}")).await?;
            results.extend(page["results"].as_array().cloned().unwrap_or_default());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        ensure!(results.len() == count, "{} results of {count} inputs", results.len());
        Ok(results)
    }

    /// A batch that nobody needs any more.
    async fn cancels_batch(&self, model: &str) -> Result<()> {
        let inputs = vec![mlp_case()?["input"].clone(); 10_000];
        let body = json!({ "model_id": model, "inputs": inputs });
        let accepted = self.customer.post("/inference/batch", &body).await?;
        let path = format!("/inference/{}", text(&accepted["job_id"])?);
        let (status, cancelled) = answer(self.customer.request(Method::DELETE, &path)).await?;
        ensure!(status == StatusCode::OK, "{status}: {cancelled}");
        let shown = self.customer.get(&path).await?;
        ensure!(shown["status"] == "cancelled", "{shown}");
        Ok(())
    }

    async fn takes_over(&self, doomed: &mut Process, model: &str) -> Result<Process> {
        doomed.signal("STOP")?;
        let case = mlp_case()?;
        let body = json!({ "model_id": model, "input": case["input"], "placement": "own" });
        let calls: Vec<_> = (0..TOGETHER)
            .map(|_| {
                let (customer, body) = (self.customer.clone(), body.clone());
                tokio::spawn(async move { customer.post("/inference", &body).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let other = self.device("second").await?;
        doomed.signal("KILL")?;
        let mut again = 0;
        for call in calls {
            let mut job = call.await??;
            if job["status"] != "completed" {
                let path = format!("/inference/{}", text(&job["job_id"])?);
                let done = |job: &Value| (job["status"] == "completed").then(|| job.clone());
                job = self.customer.until(&path, "the job's end", done).await?;
            }
            close(&job["result"]["data"], &case["output"]["data"])?;
            again += usize::from(job["attempts"].as_u64() > Some(1));
        }
        ensure!(again > 0, "no job was given to the device that was stopped");
        Ok(other)
    }

    async fn cancel(&self, model: &str) -> Result<()> {
        let case = mlp_case()?;
        // no device is there any more, and the platform's own may not
        let body = json!({
            "model_id": model, "input": case["input"], "placement": "own", "async": true,
        });
        let job = self.customer.post("/inference", &body).await?;
        let path = format!("/inference/{}", text(&job["job_id"])?);
        let (status, body) = answer(self.customer.request(Method::DELETE, &path)).await?;
        ensure!(status.is_success(), "{status}: {body}");
        let ended = |job: &Value| (job["status"] == "cancelled").then_some(());
        self.customer.until(&path, "the cancellation", ended).await
    }

    /// Counts and statistics that only the consumer of the table's changes writes.
    async fn folded(&self) -> Result<()> {
        let counted = |body: &Value| {
            let devices = body["devices"].as_array()?;
            let done = devices.iter().filter_map(|one| one["metrics"]["tasks_completed"].as_u64());
            (done.sum::<u64>() >= TOGETHER as u64).then_some(())
        };
        self.customer.until("/devices", "the devices' statistics", counted).await
    }

    /// The emulator's log of the function that runs every minute.
    async fn schedule(&self) -> Result<()> {
        let group = format!("/aws/lambda/{}", self.emulator.function("schedule-sweep"));
        let asked = json!({ "logGroupName": group });
        let begun = Instant::now();
        loop {
            let streams = self.emulator.ask("logs", "describe_log_streams", &asked)?;
            if streams["logStreams"].as_array().is_some_and(|streams| !streams.is_empty()) {
                return Ok(());
            }
            ensure!(begun.elapsed() < Duration::from_secs(150), "{group} is empty");
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    }
}

fn fixture(name: &str) -> PathBuf {
    crate::root().join("fixtures").join(name)
}

fn mlp_case() -> Result<Value> {
    let cases: Value = serde_json::from_slice(&fs::read(fixture("mlp.json"))?)?;
    Ok(cases["cases"][0].clone())
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().with_context(|| format!("{value} is no text"))
}

/// Whether numbers are the expected ones, to float32's precision.
fn close(is: &Value, wanted: &Value) -> Result<()> {
    let same = |is: &[Value], wanted: &[Value]| {
        is.len() == wanted.len()
            && is.iter().zip(wanted).all(|(is, wanted)| {
                let [is, wanted] = [is, wanted].map(|one| one.as_f64().unwrap_or(f64::NAN));
                (is - wanted).abs() < 1e-5
            })
    };
    match (is.as_array(), wanted.as_array()) {
        (Some(is), Some(wanted)) if same(is, wanted) => Ok(()),
        _ => anyhow::bail!("{is} instead of {wanted}"),
    }
}
