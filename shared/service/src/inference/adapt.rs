//! What a request's input is: tensors, or words that an adapter makes tensors of; and a result in
//! the form that its job's caller expects. A model without adapters and schema passes here unseen.

use domain::{
    job::{Adapted, Job, Outcome, Output},
    model::{Pin, Postprocessing, Preprocessing},
};
use protocol::{
    rest::errors::Detail,
    tensor::{self, Named},
};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value, value::RawValue};

use super::view::{self, Shown};
use crate::{
    App, Error, Result, adapters,
    models::{self, Record},
    schema::{Budget, Schema},
};

/// Inputs up to this size are checked by the thread that serves requests, in bytes of JSON.
const INLINE: usize = 16 * 1024;

/// An input that was found valid, as far as it can be without the model's types.
pub(super) enum Given {
    /// Tensors, still to be read.
    Tensors,
    /// Made by the adapter.
    Made(Vec<Named>),
}

/// The input of a request, and how its result is to be shown. In a call that waits, adapters always
/// apply; otherwise what is a tensor already stays one; `raw` says it for both.
pub(super) async fn given(
    app: &App,
    record: &Record,
    pin: &Pin,
    input: &RawValue,
    raw: Option<bool>,
    waits: bool,
) -> Result<(Given, Option<Adapted>)> {
    let head = &record.head;
    let before = head.preprocessing.is_some_and(|name| name != Preprocessing::Passthrough);
    let after = head.postprocessing.is_some_and(|name| name != Postprocessing::Passthrough);
    let adapts = (before || after)
        && match raw {
            Some(raw) => !raw,
            None => waits || !is_tensor(input),
        };
    // of an adapter's input the schema speaks in words
    if head.has_input_schema && (adapts || !before) {
        validate(app, pin, input, before).await?;
    }
    if !(before && adapts) {
        return Ok((Given::Tensors, (adapts && after).then_some(Adapted::One)));
    }
    let (inputs, many) = adapters::preprocess(app, &head.customer, pin, input).await?;
    let shown = if many { Adapted::Many } else { Adapted::One };
    Ok((Given::Made(inputs), after.then_some(shown)))
}

/// Whether an input is a tensor, or several by their names.
fn is_tensor(input: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Fields {
        shape: Option<IgnoredAny>,
        data: Option<IgnoredAny>,
        data_b64: Option<IgnoredAny>,
    }
    let one = serde_json::from_str(input.get()).is_ok_and(|fields: Fields| {
        fields.shape.is_some() && (fields.data.is_some() || fields.data_b64.is_some())
    });
    one || tensor::has_inputs(input)
}

/// Holds the input against the schema of the pinned revision.
async fn validate(app: &App, pin: &Pin, input: &RawValue, in_words: bool) -> Result<()> {
    let description = models::description(app, &pin.id, pin.revision).await?;
    let Some(source) = &description.input_schema else { return Ok(()) };
    let name = format!("{}/{}", pin.id, pin.revision);
    let schema = match app.caches().schemas.get(&name) {
        Some(schema) => schema,
        None => {
            // a large one takes longer than other requests should wait
            let source = source.clone();
            let compiled = tokio::task::spawn_blocking(move || Schema::compile(&source));
            let compiled = compiled.await.map_err(Error::internal)?;
            let schema = compiled.map_err(|reason| Error::invalid("input_schema", reason))?;
            let schema = std::sync::Arc::new(schema);
            app.caches().schemas.insert(name, schema.clone());
            schema
        }
    };
    // rows of a table are many values of one schema
    let by_row = in_words
        && description.preprocessing == Some(Preprocessing::Tabular)
        && source.contains_key("properties");
    let features = if by_row { description.feature_names() } else { Vec::new() };
    let text = input.get().to_owned();
    let is_small = text.len() <= INLINE;
    let check = move || -> Result<Vec<Detail>> {
        let value: Value = serde_json::from_str(&text)
            .map_err(|error| Error::invalid("input", format!("not valid JSON: {error}")))?;
        let mut budget = Budget::of_request();
        if !by_row {
            return Ok(schema.faults(&value, "input", &mut budget));
        }
        let mut faults = Vec::new();
        for (path, row) in rows(value, &features) {
            faults.extend(schema.faults(&row, &path, &mut budget));
            if faults.len() >= Schema::MAX_FAULTS {
                break;
            }
        }
        Ok(faults)
    };
    let faults = match is_small {
        true => check()?,
        false => tokio::task::spawn_blocking(check).await.map_err(Error::internal)??,
    };
    if faults.is_empty() { Ok(()) } else { Err(Error::Invalid(faults)) }
}

/// The rows of a table with their places, each by the names of its features.
fn rows(input: Value, features: &[String]) -> Vec<(String, Value)> {
    let is_row = |value: &Value| value.is_array() || value.is_object();
    let (list, path) = match input {
        Value::Object(mut fields) if matches!(fields.get("rows"), Some(Value::Array(_))) => {
            (fields.remove("rows").unwrap_or_default(), "input.rows")
        }
        Value::Array(list) if list.iter().any(is_row) => (Value::Array(list), "input"),
        one => return vec![("input".to_owned(), by_name(one, features))],
    };
    let Value::Array(list) = list else { return Vec::new() };
    let named = |(index, row)| (format!("{path}[{index}]"), by_name(row, features));
    list.into_iter().enumerate().map(named).collect()
}

/// A row of plain values as an object; the adapter says if there are too few or too many.
fn by_name(row: Value, features: &[String]) -> Value {
    match row {
        Value::Array(values) => {
            let fields: Map<_, _> = features.iter().cloned().zip(values).collect();
            Value::Object(fields)
        }
        other => other,
    }
}

/// The result of one input of a batch whose owner expects words.
pub(super) async fn shown_one(
    app: &App,
    job: &Job,
    outputs: Vec<Named>,
    adapted: Adapted,
) -> Result<Shown> {
    let many = adapted == Adapted::Many;
    let tensors = adapters::Carried::Inline(outputs.clone());
    let words = adapters::postprocess(app, &job.customer, &job.model, tensors, many).await?;
    Ok(match words {
        Ok(result) => Shown { result, warnings: Vec::new() },
        Err(reason) => {
            let mut raw = view::raw_outputs(outputs, job.by_name)?;
            raw.warnings.insert(0, format!("the result is as the model gave it: {reason}"));
            raw
        }
    })
}

/// The result of a job whose caller expects words. A result that cannot be put into words is shown
/// as it is, with a warning that says why.
pub(super) async fn shown(
    app: &App,
    job: &Job,
    outcome: &Outcome,
    adapted: Adapted,
) -> Result<Shown> {
    let tensors = match &outcome.result {
        Output::Blob(file) if file.bytes > adapters::MAX_IN_CALL as u64 => {
            adapters::Carried::File(file.clone())
        }
        other => adapters::Carried::Inline(view::outputs(app, job, other, &outcome.fence).await?),
    };
    let many = adapted == Adapted::Many;
    let words = adapters::postprocess(app, &job.customer, &job.model, tensors, many).await;
    let reason = match words {
        Ok(Ok(result)) => return Ok(Shown { result, warnings: Vec::new() }),
        Ok(Err(reason)) => reason,
        // the result is there, whatever becomes of its words
        Err(cause) => {
            tracing::warn!(?cause, job = job.id, "a result was not put into words");
            "putting it into words failed; reading the job again tries it once more".to_owned()
        }
    };
    let mut raw = view::raw(app, job, outcome).await?;
    raw.warnings.insert(0, format!("the result is as the model gave it: {reason}"));
    Ok(raw)
}
