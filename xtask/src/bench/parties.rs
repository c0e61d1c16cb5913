//! Customers of a platform that is measured, and what they do before it is.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::{
    client::{Api, answer},
    tools::printed,
};

/// Between two looks at a batch: small beside what is measured.
const LOOK: Duration = Duration::from_millis(5);

/// No batch that is measured takes longer.
const PATIENCE: Duration = Duration::from_secs(600);

/// A customer with a key.
pub(super) struct Customer {
    pub(super) api: Api,
    pub(super) key: String,
    url: String,
}

impl Customer {
    pub(super) fn new(url: &str, key: &str) -> Result<Self> {
        let api = Api::new(url, "x-api-key", key)?;
        Ok(Self { api, key: key.to_owned(), url: url.to_owned() })
    }

    /// The same one with connections of its own: those of a client belong to one runtime.
    pub(super) fn elsewhere(&self) -> Result<Self> {
        Self::new(&self.url, &self.key)
    }

    /// A new one, made by the operator.
    pub(super) async fn make(url: &str, operator: &Api, name: &str) -> Result<Self> {
        let customer = operator.post("/admin/customers", &json!({ "name": name })).await?;
        let path = format!("/admin/customers/{}/keys", text(&customer, "id")?);
        let key = operator.post(&path, &json!({})).await?;
        Self::new(url, text(&key, "secret")?)
    }

    /// Uploads a model; the answer is its id.
    pub(super) async fn model(&self, file: &Path, placement: &str) -> Result<String> {
        let part = Part::bytes(std::fs::read(file)?).file_name("model.onnx");
        let form = Form::new().text("placement", placement.to_owned()).part("model", part);
        let request = self.api.request(Method::POST, "/models").multipart(form);
        let (status, model) = answer(request).await?;
        ensure!(status.is_success(), "the model is refused: {model}");
        Ok(text(&model, "id")?.to_owned())
    }

    /// Uploads a dataset with the command; the answer is its id.
    pub(super) fn dataset(&self, dcmp: &Path, file: &Path) -> Result<String> {
        let mut command = Command::new(dcmp);
        command.args(["dataset", "upload", "--json", "--url", &self.url, "--api-key", &self.key]);
        let said = printed(command.arg(file))?;
        Ok(text(&serde_json::from_slice(&said)?, "id")?.to_owned())
    }

    /// Asks for a batch; the answer is its id.
    pub(super) async fn begin(&self, model: &str, inputs: &Inputs) -> Result<String> {
        let body = match inputs {
            Inputs::Body(list) => json!({ "model_id": model, "inputs": list }),
            Inputs::Dataset(id) => json!({ "model_id": model, "inputs_dataset_id": id }),
        };
        let accepted = self.api.post("/inference/batch", &body).await?;
        Ok(text(&accepted, "job_id")?.to_owned())
    }

    /// How many inputs of a batch are over, and whether it is.
    pub(super) async fn look(&self, batch: &str) -> Result<(u64, bool)> {
        let batch = self.api.get(&format!("/inference/{batch}?limit=1")).await?;
        let progress = &batch["progress"];
        ensure!(progress["failed"] == 0, "inputs failed: {batch}");
        let over = progress["completed"].as_u64().context("a batch without progress")?;
        Ok((over, !matches!(text(&batch, "status")?, "queued" | "running")))
    }

    /// Waits until a batch is over.
    pub(super) async fn until_over(&self, batch: &str) -> Result<()> {
        let begun = Instant::now();
        while !self.look(batch).await?.1 {
            ensure!(begun.elapsed() < PATIENCE, "{batch} does not end");
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Reads all results of a batch; how many there are.
    pub(super) async fn results(&self, batch: &str) -> Result<usize> {
        let path = format!("/inference/{batch}/results");
        let request = self.api.request(Method::GET, &path).header("accept", "application/x-ndjson");
        let mut response = request.send().await?.error_for_status()?;
        let mut lines = 0;
        while let Some(chunk) = response.chunk().await? {
            lines += chunk.iter().filter(|byte| **byte == b'\n').count();
        }
        Ok(lines)
    }
}

/// Where the inputs of a batch are.
pub(super) enum Inputs {
    Body(Value),
    Dataset(String),
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field].as_str().with_context(|| format!("no `{field}` in {value}"))
}
