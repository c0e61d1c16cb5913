//! Models: upload, look up, list, delete.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{
    model::{self, Format, Placement},
    name,
};
use ports::{Checksum, Condition, Method, Order, Write};
use protocol::{rest::models as rest, tensor::Spec};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    App, Error, INSPECT_FUNCTION, Result, Signature, cache, idempotency::Commit, jobs, table, time,
};

mod describe;

pub use describe::{Description, Shape, read_shape};

/// How long a presigned download is good for.
const DOWNLOAD_EXPIRES: Duration = Duration::from_secs(300);

/// A model's head, as it is stored: what does not change between versions, and the newest version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    pub(crate) id: String,
    pub(crate) customer: String,
    pub(crate) created_ms: u64,
    pub(crate) newest: Version,
    /// Of what follows.
    pub(crate) revision: u32,
    #[serde(flatten)]
    pub(crate) description: Description,
}

/// A version: its bytes never change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Version {
    pub(crate) number: u32,
    pub(crate) format: Format,
    pub(crate) size: u64,
    pub(crate) checksum: String,
    pub(crate) blob: String,
    pub(crate) inputs: Vec<Spec>,
    pub(crate) outputs: Vec<Spec>,
    pub(crate) uploaded_ms: u64,
}

/// What a form brought.
pub struct Upload {
    /// The file.
    pub bytes: Bytes,
    /// Of the part, for name and format.
    pub file_name: Option<String>,
    /// `onnx` or `torchscript`, when given.
    pub format: Option<String>,
    /// When given, compared with the file.
    pub input_shape: Option<Shape>,
    /// When given, compared with the file.
    pub output_shape: Option<Shape>,
    /// Name, schemas, labels, adapters.
    pub description: Description,
}

/// Takes a model in: the file is read by the function `models-inspect`, apart from this one.
pub async fn upload(
    app: &App,
    customer: &str,
    upload: Upload,
    commit: Commit,
) -> Result<rest::Model> {
    let format = format(&upload)?;
    let mut description = upload.description;
    if description.name.is_empty() {
        let stem = upload.file_name.as_deref().and_then(|name| name.rsplit(['/', '\\']).next());
        let stem = stem.map(|name| name.rsplit_once('.').map_or(name, |(stem, _)| stem));
        description.name = stem.unwrap_or("model").to_owned();
    }
    description.name = name::label(&description.name)
        .map_err(|error| Error::invalid("name", error.to_string()))?
        .to_owned();
    if upload.bytes.is_empty() {
        return Err(Error::invalid("model", "the file is empty"));
    }
    let now = app.now_ms();
    let id = app.ports.clock.id("model");
    let blob = format!("models/{id}/1");
    let checksum = Checksum::of(&upload.bytes);
    let size = upload.bytes.len() as u64;
    app.ports.blobs.put(&blob, upload.bytes).await?;
    let taken = async {
        let signature = inspect(app, &blob).await?;
        describe::compare("input_shape", upload.input_shape.as_ref(), &signature.inputs)?;
        describe::compare("output_shape", upload.output_shape.as_ref(), &signature.outputs)?;
        let newest = Version {
            number: 1,
            format,
            size,
            checksum: checksum.to_string(),
            blob: blob.clone(),
            inputs: signature.inputs,
            outputs: signature.outputs,
            uploaded_ms: now,
        };
        let customer = customer.to_owned();
        let record = Record { id, customer, created_ms: now, newest, revision: 1, description };
        let version = serde_json::json!({ "id": record.id, "version": 1 });
        let pointer = table::owned(&record.customer, "MODEL", &record.id);
        let writes = vec![
            Write::put(table::model(&record.id), table::encode(&record)?, Condition::Absent),
            Write::put(pointer, table::encode(&version)?, Condition::Absent),
        ];
        let model = show(&record);
        commit.write(app, writes, &model).await?;
        Ok(model)
    };
    match taken.await {
        Ok(model) => Ok(model),
        Err(error) => {
            // nothing of a refused upload stays; a failure to tidy up must not hide the reason
            if let Err(cause) = app.ports.blobs.delete(&blob).await {
                tracing::warn!(%cause, blob, "could not remove the file of a refused upload");
            }
            Err(error)
        }
    }
}

fn format(upload: &Upload) -> Result<Format> {
    let extension =
        upload.file_name.as_deref().and_then(|name| name.rsplit_once('.')).map(|(_, e)| e);
    match upload.format.as_deref().or(extension) {
        None | Some("onnx") => Ok(Format::Onnx),
        Some("torchscript" | "pt") => Err(Error::invalid(
            "format",
            "TorchScript files are not accepted yet; export the model as ONNX (torch.onnx.export)",
        )),
        Some(_) if upload.format.is_none() => Ok(Format::Onnx),
        Some(other) => {
            Err(Error::invalid("format", format!("`{other}` is no format; use \"onnx\"")))
        }
    }
}

/// What `models-inspect` is asked.
#[derive(Serialize, Deserialize)]
pub struct InspectRequest {
    /// Where the file is.
    pub blob: String,
}

/// What `models-inspect` answers.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inspected {
    /// What the model takes and gives.
    Signature(Signature),
    /// Why it is not accepted, in a sentence for its owner.
    Refused(String),
}

async fn inspect(app: &App, blob: &str) -> Result<Signature> {
    let request = InspectRequest { blob: blob.to_owned() };
    let request = serde_json::to_vec(&request).map_err(Error::internal)?;
    let answer = app.ports.functions.call(INSPECT_FUNCTION, request.into()).await?;
    match serde_json::from_slice(&answer).map_err(Error::internal)? {
        Inspected::Signature(signature) => Ok(signature),
        Inspected::Refused(reason) => Err(Error::invalid("model", reason)),
    }
}

/// A model of the customer's.
pub async fn show_one(app: &App, customer: &str, id: &str) -> Result<rest::Model> {
    Ok(show(&*find(app, customer, id).await.map_err(Error::in_path)?))
}

/// A page of the customer's models, newest first.
pub async fn list(
    app: &App,
    customer: &str,
    cursor: Option<&str>,
    limit: usize,
) -> Result<rest::Models> {
    let records = &*app.ports.records;
    let owner = table::owner(customer);
    let (pointers, next_cursor) =
        table::page(records, owner.clone(), "MODEL#", cursor, limit, Order::Descending).await?;
    let keys: Vec<_> = pointers.iter().map(|(id, _)| table::model(id)).collect();
    let mut models = Vec::with_capacity(keys.len());
    for keys in keys.chunks(100) {
        for item in records.batch_get(keys).await?.into_iter().flatten() {
            models.push(show(&table::decode(item)?));
        }
    }
    let total = match (cursor, &next_cursor) {
        (None, None) => models.len() as u64,
        _ => table::count(records, &owner, "MODEL#").await?,
    };
    Ok(rest::Models { models, total, next_cursor })
}

/// Removes a model; jobs that still run it fail cleanly when a device asks for its file.
pub async fn delete(app: &App, customer: &str, id: &str) -> Result<()> {
    let record = find(app, customer, id).await.map_err(Error::in_path)?;
    let token = app
        .ports
        .records
        .transact(vec![
            Write::delete(table::model(id), Condition::Exists),
            Write::delete(table::owned(customer, "MODEL", id), Condition::Always),
        ])
        .await;
    app.caches().models.remove(id);
    let token = table::unless_failed(token)?.map_err(|_| Error::no_model(id).in_path())?;
    app.ports.records.durable(token).await?;
    app.ports.blobs.delete(&record.newest.blob).await?;
    Ok(())
}

/// A URL from which the customer downloads the file; `base` is where they reached the platform.
pub async fn download(app: &App, customer: &str, reference: &str, base: &str) -> Result<String> {
    let record = find_version(app, customer, reference).await.map_err(Error::in_path)?;
    Ok(app.ports.blobs.presign(&record.newest.blob, Method::Get, DOWNLOAD_EXPIRES, base)?)
}

/// A URL from which a device downloads the file of a task that it holds.
pub async fn download_for_task(
    app: &App,
    device: &str,
    id: &str,
    task: &str,
    base: &str,
) -> Result<String> {
    let job = jobs::load(app, task).await?;
    let holds = |job: &domain::job::Job| {
        job.model.id == id && job.working().any(|attempt| attempt.device == device)
    };
    let job = job.filter(holds).ok_or_else(|| {
        Error::NotFound(format!("this device holds no task `{task}` with the model `{id}`"))
    })?;
    let record = find(app, &job.customer, id).await.map_err(Error::in_path)?;
    Ok(app.ports.blobs.presign(&record.newest.blob, Method::Get, DOWNLOAD_EXPIRES, base)?)
}

/// The head of a model of the customer's; somebody else's is as if it were not there.
pub(crate) async fn find(app: &App, customer: &str, id: &str) -> Result<Arc<Record>> {
    if !name::is_id(id, "model") {
        return Err(Error::no_model(id));
    }
    let now = app.now_ms();
    let record = match app.caches().models.get(id, now, cache::MODEL_MS) {
        Some(record) => Some(record),
        None => {
            let record: Option<Record> =
                table::load(&*app.ports.records, &table::model(id)).await?;
            let record = record.map(Arc::new);
            if let Some(record) = &record {
                app.caches().models.insert(id, now, record.clone());
            }
            record
        }
    };
    record.filter(|record| record.customer == customer).ok_or_else(|| Error::no_model(id))
}

/// The head of a model named as in requests: `model_…` or `model_…@1`.
pub(crate) async fn find_version(
    app: &App,
    customer: &str,
    reference: &str,
) -> Result<Arc<Record>> {
    let (id, version) = model::parse_reference(reference);
    let record = find(app, customer, id).await?;
    match version {
        Some(version) if version != record.newest.number => Err(Error::NoModel(format!(
            "the model `{id}` has no version {version}; its newest is {}",
            record.newest.number
        ))),
        _ => Ok(record),
    }
}

impl Record {
    /// Where it may run unless a request says otherwise.
    pub(crate) fn placement(&self) -> Placement {
        self.description.placement
    }
}

fn show(record: &Record) -> rest::Model {
    let Record { newest, description, .. } = record;
    let first = |specs: &[Spec]| specs.first().map(|spec| spec.shape.clone()).unwrap_or_default();
    rest::Model {
        id: record.id.clone(),
        name: description.name.clone(),
        format: newest.format.name().to_owned(),
        size: newest.size,
        checksum: newest.checksum.clone(),
        version: newest.number,
        revision: record.revision,
        status: "ready".to_owned(),
        uploaded_at: time::rfc3339(newest.uploaded_ms),
        input_shape: first(&newest.inputs),
        output_shape: first(&newest.outputs),
        inputs: newest.inputs.clone(),
        outputs: newest.outputs.clone(),
        preprocessing: description.preprocessing.clone(),
        postprocessing: description.postprocessing.clone(),
        input_schema: description.input_schema.clone().map(Value::Object),
        output_schema: description.output_schema.clone().map(Value::Object),
        labels: description.labels.clone(),
        placement: description.placement.name().to_owned(),
    }
}
