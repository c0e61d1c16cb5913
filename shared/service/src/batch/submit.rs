//! Accepting a batch: its inputs stored, itself and its place in the lists written at once.

use std::{sync::Arc, time::Duration};

use domain::{
    batch::{Batch, MAX_IN_BODY, MAX_INPUTS, New, Sizing, Source},
    job::{StoredFile, Wants},
    model::{Pin, Placement},
};
use ports::{Checksum, Condition, Error as PortError, Token, Write};
use protocol::rest::batch as rest;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Wake, rows::Plan, turns::Row};
use crate::{
    App, Error, Result, datasets, idempotency,
    models::{self, Record},
    table, usual,
};

/// What comes with a request beside its body.
pub struct Call<'a> {
    /// Who pays.
    pub customer: &'a str,
    /// The `Idempotency-Key`.
    pub idempotency_key: Option<&'a str>,
    /// SHA-256 of the body.
    pub body_hash: String,
}

/// What a request for a batch came to.
pub enum Submitted {
    /// It is on disk and goes on by itself.
    Accepted(rest::Accepted),
    /// Nothing was done.
    Estimated(rest::Estimate),
}

/// How a customer's list finds a batch.
#[derive(Serialize, Deserialize)]
struct Pointer {
    expires_at: u64,
}

/// Accepts a batch, or says what it would take.
///
/// # Errors
/// A wrong request changes nothing. Inputs are looked at later, one by one: one that is wrong fails alone.
pub async fn submit(app: &App, call: Call<'_>, request: &rest::Request) -> Result<Submitted> {
    let record = models::find_version(app, call.customer, &request.model_id).await?;
    let wants = wants(request, &record)?;
    let most = app.lease().deadline_max_ms;
    let deadline_ms = request.options.deadline_ms.unwrap_or(most);
    if !(1..=most).contains(&deadline_ms) {
        return Err(Error::invalid(
            "options.deadline_ms",
            format!("expected 1 to {most} milliseconds"),
        ));
    }
    let name = request.name.as_deref().map(domain::name::label).transpose();
    let name = name.map_err(|error| Error::invalid("name", error.to_string()))?;
    let inputs = Inputs::read(app, call.customer, request, &record).await?;
    let total = inputs.total();
    if request.dry_run {
        return Ok(Submitted::Estimated(
            estimate(app, call.customer, &wants, &record, total).await?,
        ));
    }
    let id = match call.idempotency_key {
        // the same key always means the same batch: the batch itself is the memory
        Some(key) => {
            let digest = idempotency::fingerprint(&[call.customer, "POST /inference/batch", key]);
            format!("batch_{}", &digest[..32])
        }
        None => app.ports.clock.id("batch"),
    };
    if let Err(limited) = super::turns::check_open(app, call.customer).await {
        // a repetition has the first answer
        if call.idempotency_key.is_none() || super::load(app, &id).await?.is_none() {
            return Err(limited);
        }
    }
    let (source, file) = inputs.source(app, &id);
    let new = New {
        id,
        customer: call.customer.to_owned(),
        project: request.project_id.clone(),
        name: name.map(str::to_owned),
        model: Pin {
            id: record.head.id.clone(),
            version: record.version.number,
            revision: record.head.revision,
        },
        raw: request.raw,
        wants,
        source,
        total,
        body_hash: call.idempotency_key.map(|_| call.body_hash.clone()),
        deadline_ms,
    };
    let batch = Batch::new(new, app.now_us());
    if let Some((key, bytes)) = &file {
        app.ports.blobs.put(key, bytes.clone()).await?;
    }
    match accept(app, &batch).await? {
        Ok(()) => Ok(Submitted::Accepted(accepted(&batch))),
        Err(stored) => {
            // the inputs of the first request are what counts
            if let Some((key, _)) = &file {
                app.ports.blobs.delete(key).await?;
            }
            if stored.body_hash != batch.body_hash {
                return Err(Error::IdempotencyMismatch);
            }
            app.ports.records.durable(Token::LATEST).await?;
            Ok(Submitted::Accepted(accepted(&stored)))
        }
    }
}

/// Writes a batch with everything that finds it; the stored one if there is one already.
async fn accept(app: &App, batch: &Batch) -> Result<std::result::Result<(), Box<Batch>>> {
    let row = Row { customer: batch.customer.clone(), project: batch.project.clone() };
    let pointer = Pointer { expires_at: batch.expires_at };
    let writes = vec![
        Write::put(table::batch(&batch.id), table::encode(batch)?, Condition::Absent),
        Write::put(table::batch_pointer(batch), table::encode(&pointer)?, Condition::Always),
        Write::put(table::batch_turn(batch), table::encode(&row)?, Condition::Always),
        Write::put(table::open_batch(&batch.id), table::encode(&row)?, Condition::Always),
    ];
    match app.ports.records.transact(writes).await {
        Ok(token) => app.ports.records.durable(token).await?,
        Err(PortError::ConditionFailed(old)) => {
            let old = old.ok_or_else(|| Error::internal("a condition failed without an item"))?;
            return Ok(Err(Box::new(table::decode(old)?)));
        }
        Err(error) => return Err(error.into()),
    }
    app.caches().turns.forget(super::turns::scope(batch));
    let begin = Wake { batch: batch.id.clone(), ended: Vec::new(), tick: Some(0), revive: false };
    // if this is lost, the sweep finds the batch in the list of open ones
    if let Err(cause) = super::send(app, &begin, Duration::ZERO).await {
        tracing::warn!(%cause, batch = batch.id, "a new batch waits for the sweep");
    }
    Ok(Ok(()))
}

fn accepted(batch: &Batch) -> rest::Accepted {
    rest::Accepted {
        job_id: batch.id.clone(),
        project_id: batch.project.clone(),
        status: "queued".to_owned(),
        total_tasks: batch.total,
        poll_url: format!("/api/v1/inference/{}", batch.id),
    }
}

fn wants(request: &rest::Request, record: &Record) -> Result<Wants> {
    let instance_type = request.options.instance_type.clone();
    if instance_type.as_deref().is_some_and(|kind| !matches!(kind, "user" | "aws")) {
        return Err(Error::invalid("options.instance_type", "expected `user` or `aws`"));
    }
    let placement = match request.placement.as_deref() {
        None => record.head.placement,
        Some(name) => Placement::parse(name)
            .ok_or_else(|| Error::invalid("placement", "expected `own`, `shared` or `platform`"))?,
    };
    Ok(Wants { placement, prefer_gpu: request.options.prefer_gpu, instance_type })
}

/// The inputs as the request names them.
enum Inputs {
    /// As text, and how many.
    Body(bytes::Bytes, u64),
    /// The dataset's id, and its rows.
    Dataset(String, u64),
}

impl Inputs {
    async fn read(
        app: &App,
        customer: &str,
        request: &rest::Request,
        record: &Record,
    ) -> Result<Self> {
        match (&request.inputs, &request.inputs_dataset_id) {
            (Some(inputs), None) => {
                let count = count(inputs)?;
                Ok(Self::Body(inputs.get().to_owned().into(), count))
            }
            (None, Some(id)) => {
                let dataset = datasets::find(app, customer, id).await?;
                Plan::new(&dataset, record, request.raw)?;
                if dataset.rows > MAX_INPUTS {
                    let message = format!(
                        "the dataset has {} rows, and a batch {MAX_INPUTS} inputs at most",
                        dataset.rows
                    );
                    return Err(Error::invalid("inputs_dataset_id", message));
                }
                Ok(Self::Dataset(id.clone(), dataset.rows))
            }
            _ => Err(Error::invalid(
                "inputs",
                format!(
                    "give either `inputs`, a list of 1 to {MAX_IN_BODY}, or `inputs_dataset_id`"
                ),
            )),
        }
    }

    fn total(&self) -> u64 {
        match self {
            Self::Body(_, count) | Self::Dataset(_, count) => *count,
        }
    }

    /// Where they will be, and the file to store first, if there is one.
    fn source(self, app: &App, batch: &str) -> (Source, Option<(String, bytes::Bytes)>) {
        match self {
            Self::Dataset(id, _) => (Source::Dataset { id }, None),
            Self::Body(bytes, _) => {
                // two requests with the same key must not touch each other's file
                let key = format!("batches/{batch}/{}", app.ports.clock.id("file"));
                let checksum = Checksum::of(&bytes).to_string();
                let file = StoredFile { key: key.clone(), checksum, bytes: bytes.len() as u64 };
                (Source::Body(file), Some((key, bytes)))
            }
        }
    }
}

/// How many inputs a list has.
fn count(inputs: &RawValue) -> Result<u64> {
    let list: Vec<serde::de::IgnoredAny> = serde_json::from_str(inputs.get())
        .map_err(|_| Error::invalid("inputs", "expected a list of inputs"))?;
    match list.len() as u64 {
        0 => Err(Error::invalid("inputs", "the list is empty; give at least one input")),
        count @ 1..=MAX_IN_BODY => Ok(count),
        count => Err(Error::invalid(
            "inputs",
            format!(
                "{count} inputs, and {MAX_IN_BODY} are allowed in one request; upload them as a dataset and give `inputs_dataset_id` for up to {MAX_INPUTS}"
            ),
        )),
    }
}

async fn estimate(
    app: &App,
    customer: &str,
    wants: &Wants,
    record: &Arc<Record>,
    total: u64,
) -> Result<rest::Estimate> {
    let input_ms = usual::of_stacked(app, &record.version.checksum);
    let bytes = |specs: &[protocol::tensor::Spec]| {
        specs.iter().map(|spec| spec.bytes(1)).sum::<Option<usize>>().map(|bytes| bytes as u64)
    };
    let input = bytes(&record.version.inputs);
    let sizing = Sizing {
        input_bytes: input.unwrap_or(1),
        output_bytes: bytes(&record.version.outputs),
        input_ms: input_ms.or(Some(0.0)),
    };
    let devices = super::turns::devices(app, customer, wants, record).await?;
    Ok(rest::Estimate {
        dry_run: true,
        total_tasks: total,
        input_bytes: input.map(|bytes| bytes.saturating_mul(total)),
        chunks: total.div_ceil(u64::from(sizing.inputs())),
        estimated_compute_ms: input_ms.map(|ms| ms * total as f64),
        devices: devices.count,
    })
}
