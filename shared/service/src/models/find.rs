//! Looking up models: the head, and the version that a request or a job means.

use std::sync::Arc;

use domain::{
    model::{self, Pin, Status},
    name,
};

use super::{Head, Record, Version};
use crate::{App, Error, Result, cache, table};

/// The head of a model of the customer's; somebody else's is as if it were not there. Believed for
/// a moment.
pub(super) async fn find(app: &App, customer: &str, id: &str) -> Result<Arc<Head>> {
    let now = app.now_ms();
    let head = match app.caches().models.get(id, now, cache::MODEL_MS) {
        Some(head) => head,
        None => {
            let head = Arc::new(load(app, id).await?);
            app.caches().models.insert(id, now, head.clone());
            head
        }
    };
    if head.customer == customer { Ok(head) } else { Err(Error::no_model(id)) }
}

/// The head of a model of the customer's as it is now, for whoever changes it.
pub(super) async fn read(app: &App, customer: &str, id: &str) -> Result<Head> {
    let head = load(app, id).await?;
    if head.customer == customer { Ok(head) } else { Err(Error::no_model(id)) }
}

/// The head of a model as it is now, whoever it belongs to.
pub(super) async fn load(app: &App, id: &str) -> Result<Head> {
    if !name::is_id(id, "model") {
        return Err(Error::no_model(id));
    }
    let head = table::load(&*app.ports.records, &table::model(id)).await?;
    head.ok_or_else(|| Error::no_model(id))
}

/// What a path names, `model_…` or `model_…@3`, beside a `version` in the query.
///
/// # Errors
/// When the two name different versions.
pub(super) fn named(reference: &str, version: Option<u32>) -> Result<(&str, Option<u32>)> {
    match (model::parse_reference(reference), version) {
        ((_, Some(number)), Some(other)) if number != other => {
            let message = format!("says {other}, and the path says {number}; give one of them");
            Err(Error::invalid("version", message))
        }
        ((id, number), version) => Ok((id, number.or(version))),
    }
}

/// A model named as in requests, to run: `model_…` means its newest ready version, `model_…@3` that
/// one.
pub(crate) async fn find_version(
    app: &App,
    customer: &str,
    reference: &str,
) -> Result<Arc<Record>> {
    let (id, number) = model::parse_reference(reference);
    find_number(app, customer, id, number).await
}

/// The same by id and number.
pub(super) async fn find_number(
    app: &App,
    customer: &str,
    id: &str,
    number: Option<u32>,
) -> Result<Arc<Record>> {
    let head = find(app, customer, id).await?;
    ready(app, head, number).await
}

/// The model of a job, in the version that the job pins.
pub(crate) async fn find_pinned(app: &App, customer: &str, pin: &Pin) -> Result<Arc<Record>> {
    find_number(app, customer, &pin.id, Some(pin.version)).await
}

async fn ready(app: &App, head: Arc<Head>, number: Option<u32>) -> Result<Arc<Record>> {
    let version = match &head.newest {
        Some(newest) if number.is_none_or(|number| number == newest.number) => newest.clone(),
        _ => {
            let version = version(app, &head, number.unwrap_or(head.last)).await?;
            if version.status != Status::Ready {
                return Err(not_ready(&head.id, &version));
            }
            version
        }
    };
    Ok(Arc::new(Record { head, version }))
}

/// A version of a model, ready or not.
pub(super) async fn version(app: &App, head: &Head, number: u32) -> Result<Arc<Version>> {
    if let Some(newest) = head.newest.as_ref().filter(|newest| newest.number == number) {
        return Ok(newest.clone());
    }
    let name = format!("{}@{number}", head.id);
    if let Some(version) = app.caches().versions.get(&name) {
        return Ok(version);
    }
    let key = table::model_version(&head.id, number);
    let version: Option<Version> = table::load(&*app.ports.records, &key).await?;
    let version = Arc::new(version.ok_or_else(|| no_version(head, number))?);
    // the others may still change
    if version.status == Status::Ready {
        app.caches().versions.insert(name, version.clone());
    }
    Ok(version)
}

fn no_version(head: &Head, number: u32) -> Error {
    let (id, last) = (&head.id, head.last);
    Error::NoModel(format!("the model `{id}` has no version {number}; its newest is {last}"))
}

fn not_ready(id: &str, version: &Version) -> Error {
    let Version { number, status, reason, .. } = version;
    let what = match status {
        Status::Uploading => "its file is not complete; finish the upload first",
        Status::Validating => "its file is still being looked at; try again in a moment",
        Status::Ready | Status::Rejected => {
            reason.as_deref().unwrap_or("its file was not accepted")
        }
    };
    Error::NoModel(format!(
        "version {number} of the model `{id}` does not run, it is {}: {what}",
        status.name()
    ))
}
