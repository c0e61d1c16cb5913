//! A job as its owner sees it.

use std::collections::BTreeMap;

use domain::job::{Job, Outcome, Output};
use protocol::{
    rest::inference::{self as rest, Failure, Timings},
    tensor::{Named, Tensor},
};
use serde_json::value::{RawValue, to_raw_value};

use super::{adapt, own::Beside};
use crate::{App, Error, Result, table, tensors, time};

/// The job with its result, fetched from where it lies.
pub async fn show(app: &App, job: &Job) -> Result<rest::Job> {
    let shown = match (&job.outcome, job.adapted) {
        (Some(outcome), None) => Some(raw(app, job, outcome).await?),
        (Some(outcome), Some(adapted)) => Some(adapt::shown(app, job, outcome, adapted).await?),
        (None, _) => None,
    };
    let (result, warnings) = shown.map(|shown| (shown.result, shown.warnings)).unzip();
    let timings = job.timings_ms().map(|[queue, transfer, compute, total]| Timings {
        queue: rounded(queue),
        transfer: rounded(transfer),
        compute: rounded(compute),
        total: rounded(total),
    });
    let failure = job.failure.as_ref();
    Ok(rest::Job {
        job_id: job.id.clone(),
        status: job.state.name().to_owned(),
        model_id: job.model.id.clone(),
        model_version: job.model.version,
        warnings: warnings.unwrap_or_default(),
        result,
        error: failure.map(|f| Failure { code: f.code.clone(), message: f.message.clone() }),
        latency_ms: timings.map(|timings| timings.total),
        device_id: job.winner().map(|attempt| attempt.device.clone()),
        attempts: job.tried(),
        timings_ms: timings,
        project_id: job.project.clone(),
        created_at: time::rfc3339(job.created_us / 1000),
        completed_at: job.ended_us.map(|us| time::rfc3339(us / 1000)),
    })
}

/// A result as its caller is shown it.
pub(super) struct Shown {
    pub(super) result: Box<RawValue>,
    /// What to know about it.
    pub(super) warnings: Vec<String>,
}

/// The tensors as the model gave them.
pub(super) async fn raw(app: &App, job: &Job, outcome: &Outcome) -> Result<Shown> {
    let outputs = outputs(app, job, &outcome.result, &outcome.fence).await?;
    raw_outputs(outputs, job.by_name)
}

/// Tensors at hand.
pub(super) fn raw_outputs(outputs: Vec<Named>, by_name: bool) -> Result<Shown> {
    let warnings = warnings(&outputs);
    Ok(Shown { result: result(outputs, by_name)?, warnings })
}

/// To the microsecond.
fn rounded(ms: f64) -> f64 {
    (ms * 1000.0).round() / 1000.0
}

/// The model's outputs, fetched from where they lie.
pub(super) async fn outputs(
    app: &App,
    job: &Job,
    output: &Output,
    fence: &str,
) -> Result<Vec<Named>> {
    let parse = |text: &str| serde_json::from_str(text).map_err(Error::internal);
    match output {
        Output::Inline(tensors) => parse(tensors.text()),
        Output::Beside => {
            let row: Option<Beside> =
                table::load(&*app.ports.records, &table::result(&job.id, fence)).await?;
            let missing = || Error::internal("the result beside a job is missing");
            parse(row.ok_or_else(missing)?.outputs.text())
        }
        Output::Blob(file) => {
            let missing = || Error::internal("the file of a result is missing");
            tensors::load(app, file).await?.ok_or_else(missing)
        }
    }
}

/// One output alone, or all by name: as the inputs were given, if the model leaves the choice.
fn result(mut outputs: Vec<Named>, by_name: bool) -> Result<Box<RawValue>> {
    let json = if outputs.len() == 1 && !by_name {
        to_raw_value(&outputs.remove(0).tensor)
    } else {
        let by_name: BTreeMap<String, Tensor> =
            outputs.into_iter().map(|named| (named.name, named.tensor)).collect();
        to_raw_value(&BTreeMap::from([("outputs", by_name)]))
    };
    json.map_err(Error::internal)
}

fn warnings(outputs: &[Named]) -> Vec<String> {
    let odd =
        |named: &Named| named.tensor.first_non_finite().map(|index| (named.name.clone(), index));
    outputs
        .iter()
        .filter_map(odd)
        .map(|(name, index)| {
            format!(
                "output `{name}` holds values that are not finite (first at {index}); they are null in `data` and exact in `data_b64`"
            )
        })
        .collect()
}
