//! The inputs of a batch, as many as a chunk may take, wherever they are.

use std::{ops::Range, sync::Arc};

use domain::{
    batch::{Batch, Source},
    job::{Adapted, Failure},
};
use ports::Checksum;
use protocol::tensor::Named;
use serde_json::value::RawValue;

use super::rows::{self, Plan};
use crate::{
    App, Error, Result, datasets,
    inference::{self, One},
    models::Record,
};

/// After so many inputs others get their turn on the thread.
const YIELD: usize = 64;

/// The most bytes of stacked rows that are read at a time, unless a single one has more.
const MAX_STACKED: u64 = 2 << 20;

/// The same of rows that are read one by one, as text.
const MAX_VALUES: usize = 8 << 20;

/// An input that is ready to be run.
pub(super) struct Ready {
    pub(super) inputs: Vec<Named>,
    /// Its result is put into words.
    pub(super) adapted: Option<Adapted>,
    /// Its result is shown by name.
    pub(super) by_name: bool,
}

/// Some of a batch's inputs, from `next_input` on.
pub(super) enum Read {
    /// One after the other; why it cannot be run for one that is not fit.
    Each(Vec<std::result::Result<Ready, Failure>>),
    /// All alike, stacked.
    Stacked(Vec<Named>),
    /// The source is gone, and the batch with it.
    Gone(Failure),
}

/// Reads at most `limit` inputs from input `first` on, at least one.
pub(super) async fn read(
    app: &App,
    batch: &Batch,
    record: &Record,
    first: u64,
    limit: usize,
) -> Result<Read> {
    match &batch.source {
        Source::Body(file) => {
            let Some(list) = body(app, &file.key, &file.checksum).await? else {
                let message = "the batch's inputs are not in the object store any more".to_owned();
                return Ok(Read::Gone(Failure { code: "INPUT_LOST".to_owned(), message }));
            };
            let first = first as usize;
            let some = list.get(first..list.len().min(first + limit)).unwrap_or_default();
            let mut read = Vec::with_capacity(some.len());
            for (index, input) in some.iter().enumerate() {
                if index % YIELD == YIELD - 1 {
                    tokio::task::yield_now().await;
                }
                read.push(one(app, batch, record, input).await?);
            }
            Ok(Read::Each(read))
        }
        Source::Dataset { id } => {
            let end = first + limit as u64;
            match rows(app, batch, record, id, first..end).await {
                // it was deleted, or its time was over
                Err(Error::NotFound(message) | Error::Conflict(message)) => {
                    Ok(Read::Gone(Failure { code: "INPUT_LOST".to_owned(), message }))
                }
                read => read,
            }
        }
    }
}

/// Rows of a dataset.
async fn rows(
    app: &App,
    batch: &Batch,
    record: &Record,
    id: &str,
    wanted: Range<u64>,
) -> Result<Read> {
    let dataset = datasets::find(app, &batch.customer, id).await?;
    match Plan::new(&dataset, record, batch.raw)? {
        Plan::Arrays(columns) => {
            let fitting = (MAX_STACKED / rows::row_bytes(&columns).max(1)).max(1);
            let end = wanted.end.min(batch.total).min(wanted.start + fitting);
            Ok(Read::Stacked(rows::read(app, &dataset, &columns, wanted.start..end).await?))
        }
        Plan::Values => {
            let limit = (wanted.end - wanted.start) as usize;
            let (first, bytes) = (wanted.start, MAX_VALUES);
            let values = datasets::read_values(app, &dataset, first, limit, bytes).await?;
            let mut read = Vec::with_capacity(values.len());
            for value in &values {
                read.push(one(app, batch, record, value).await?);
            }
            Ok(Read::Each(read))
        }
    }
}

/// One input as it would be read in a request of its own.
async fn one(
    app: &App,
    batch: &Batch,
    record: &Record,
    input: &RawValue,
) -> Result<std::result::Result<Ready, Failure>> {
    match inference::read_one(app, record, &batch.model, input, batch.raw).await {
        Ok(One { inputs, adapted, by_name }) => Ok(Ok(Ready { inputs, adapted, by_name })),
        Err(error @ Error::Internal(_)) => Err(error),
        Err(error) => {
            Ok(Err(Failure { code: "INVALID_INPUT".to_owned(), message: error.to_string() }))
        }
    }
}

/// The list of a request's inputs, kept for the next chunks; `None` when there is no such file.
async fn body(app: &App, key: &str, checksum: &str) -> Result<Option<Arc<Vec<Box<RawValue>>>>> {
    if let Some(list) = app.caches().bodies.get(key) {
        return Ok(Some(list));
    }
    let Some(bytes) = app.ports.blobs.get(key, None).await? else { return Ok(None) };
    if Checksum::of(&bytes).to_string() != checksum {
        return Err(Error::internal("a file of inputs does not have its checksum"));
    }
    let list: Vec<Box<RawValue>> = serde_json::from_slice(&bytes).map_err(Error::internal)?;
    let list = Arc::new(list);
    app.caches().bodies.insert(key.to_owned(), list.clone());
    Ok(Some(list))
}
