//! Models as their owners are shown them.

use std::sync::Arc;

use domain::model::{Postprocessing, Preprocessing};
use ports::Order;
use protocol::{rest::models as rest, tensor::Spec};
use serde_json::Value;

use super::{Head, Version, description, find, price};
use crate::{App, Error, Result, table, time};

/// A model of the customer's without schemas and labels, in the version that is named, else in its
/// newest ready version, or the newest if none is. Also its tag: another one whenever anything that
/// is shown of the model changed.
pub async fn look(
    app: &App,
    customer: &str,
    reference: &str,
    version: Option<u32>,
) -> Result<(rest::Summary, String)> {
    let (id, number) = find::named(reference, version)?;
    let look = async {
        let head = find::read(app, customer, id).await?;
        let version = match number {
            Some(number) => find::version(app, &head, number).await?,
            None => newest(app, &head).await?,
        };
        Ok((summary(&head, &version), tag(&head, &version)))
    };
    look.await.map_err(Error::in_path)
}

/// Of a model in one of its versions.
pub(super) fn tag(head: &Head, version: &Version) -> String {
    format!("{}-{}-{}", version.number, head.revision, head.changes)
}

/// A model with schemas and labels, of the revision that it names. Of a model that was deleted
/// meanwhile they are gone.
pub async fn complete(app: &App, shown: rest::Summary) -> Result<rest::Model> {
    let description = match description(app, &shown.id, shown.revision).await {
        Err(Error::NoModel(_)) => Default::default(),
        description => description?,
    };
    Ok(rest::Model {
        summary: shown,
        input_schema: description.shown_input_schema().map(Value::Object),
        output_schema: description.output_schema.clone().map(Value::Object),
        labels: description.labels.clone(),
    })
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
            let head: Head = table::decode(item)?;
            match newest(app, &head).await {
                // it was deleted just now
                Err(Error::NoModel(_)) => {}
                version => models.push(summary(&head, &*version?)),
            }
        }
    }
    let total = match (cursor, &next_cursor) {
        (None, None) => models.len() as u64,
        _ => table::count(records, &owner, "MODEL#").await?,
    };
    Ok(rest::Models { models, total, next_cursor })
}

/// A page of a model's versions, newest first.
pub async fn versions(
    app: &App,
    customer: &str,
    id: &str,
    cursor: Option<&str>,
    limit: usize,
) -> Result<rest::Versions> {
    let head = find::read(app, customer, id).await.map_err(Error::in_path)?;
    let (rows, next_cursor) = table::page(
        &*app.ports.records,
        table::model_rows(id),
        "V#",
        cursor,
        limit,
        Order::Descending,
    )
    .await?;
    let decoded = rows.into_iter().map(|(_, item)| Ok(show_version(&table::decode(item)?)));
    Ok(rest::Versions {
        versions: decoded.collect::<Result<_>>()?,
        total: u64::from(head.last),
        next_cursor,
    })
}

fn show_version(version: &Version) -> rest::Version {
    rest::Version {
        version: version.number,
        status: version.status.name().to_owned(),
        reason: version.reason.clone(),
        format: version.format.name().to_owned(),
        size: version.size,
        checksum: version.checksum.clone(),
        uploaded_at: time::rfc3339(version.uploaded_ms),
        inputs: version.inputs.clone(),
        outputs: version.outputs.clone(),
        warnings: version.warnings.clone(),
        profile: version.profile.as_ref().map(price::priced),
    }
}

/// The version in which a model is shown when none is named.
pub(super) async fn newest(app: &App, head: &Head) -> Result<Arc<Version>> {
    match &head.newest {
        Some(newest) => Ok(newest.clone()),
        None => find::version(app, head, head.last).await,
    }
}

/// A model in one of its versions.
pub(super) fn summary(head: &Head, version: &Version) -> rest::Summary {
    let first = |specs: &[Spec]| specs.first().map(|spec| spec.shape.clone());
    rest::Summary {
        id: head.id.clone(),
        name: head.name.clone(),
        format: version.format.name().to_owned(),
        size: version.size,
        checksum: version.checksum.clone(),
        version: version.number,
        revision: head.revision,
        status: version.status.name().to_owned(),
        reason: version.reason.clone(),
        uploaded_at: time::rfc3339(version.uploaded_ms),
        input_shape: first(&version.inputs),
        output_shape: first(&version.outputs),
        inputs: version.inputs.clone(),
        outputs: version.outputs.clone(),
        warnings: version.warnings.clone(),
        profile: version.profile.as_ref().map(price::priced),
        preprocessing: head.preprocessing.map(Preprocessing::name).map(str::to_owned),
        postprocessing: head.postprocessing.map(Postprocessing::name).map(str::to_owned),
        placement: head.placement.name().to_owned(),
    }
}
