//! Datasets as their owners are shown them.

use domain::model::Status;
use ports::Order;
use protocol::{
    dataset::{Content, Field},
    rest::datasets as rest,
};

use super::{
    inspect,
    stored::{self, Record},
};
use crate::{App, Error, Result, table, time};

/// A dataset of the customer's.
pub async fn show(app: &App, customer: &str, id: &str) -> Result<rest::Dataset> {
    let record = stored::read(app, customer, id).await?;
    complete(app, summary(&record)).await
}

/// A dataset with what its file holds, if it is ready. Of one that was deleted meanwhile that is gone.
pub async fn complete(app: &App, summary: rest::Summary) -> Result<rest::Dataset> {
    let content = match summary.status == Status::Ready.name() {
        true => inspect::content(app, &summary.id).await,
        false => Err(Error::no_dataset(&summary.id)),
    };
    let Content { schema, labels, .. } = match content {
        Err(Error::NotFound(_)) => {
            return Ok(rest::Dataset { summary, schema: None, statistics: None, labels: None });
        }
        content => content?,
    };
    let statistics = schema.iter().map(|field| (field.name.clone(), field.statistics.clone()));
    let column = |Field { name, dtype, shape, .. }: &Field| rest::Column {
        name: name.clone(),
        dtype: dtype.clone(),
        shape: shape.clone(),
    };
    Ok(rest::Dataset {
        statistics: Some(statistics.collect()),
        schema: Some(schema.iter().map(column).collect()),
        labels,
        summary,
    })
}

/// A page of the customer's datasets, newest first.
pub async fn list(
    app: &App,
    customer: &str,
    cursor: Option<&str>,
    limit: usize,
) -> Result<rest::Datasets> {
    let records = &*app.ports.records;
    let owner = table::owner(customer);
    let (pointers, next_cursor) =
        table::page(records, owner.clone(), "DATASET#", cursor, limit, Order::Descending).await?;
    let keys: Vec<_> = pointers.iter().map(|(id, _)| table::dataset(id)).collect();
    let now = app.now_ms() / 1000;
    let mut datasets = Vec::with_capacity(keys.len());
    for keys in keys.chunks(100) {
        for item in records.batch_get(keys).await?.into_iter().flatten() {
            let record: Record = table::decode(item)?;
            // those whose time is over are removed soon
            if record.expires_at > now {
                datasets.push(summary(&record));
            }
        }
    }
    let total = match (cursor, &next_cursor) {
        (None, None) => datasets.len() as u64,
        _ => table::count(records, &owner, "DATASET#").await?,
    };
    Ok(rest::Datasets { datasets, total, next_cursor })
}

/// A dataset without what its file holds.
pub(super) fn summary(record: &Record) -> rest::Summary {
    rest::Summary {
        id: record.id.clone(),
        name: record.name.clone(),
        format: record.format.name().to_owned(),
        status: record.status.name().to_owned(),
        error: record.error.clone(),
        rows: record.rows,
        bytes: record.size,
        checksum: record.checksum.clone(),
        created_at: time::rfc3339(record.created_ms),
        expires_at: time::rfc3339(record.expires_at * 1000),
    }
}
