//! The results of a batch, input by input, in their order: chunk after chunk as far as they have ended.

use std::sync::Arc;

use domain::{
    batch::Batch,
    job::{Failure, Job, State},
    name::chunk_id,
};
use futures::{StreamExt, TryStreamExt, stream};
use protocol::{
    rest::{batch as rest, inference},
    tensor::Answers,
};

use super::cut::{Refused, refused_of};
use crate::{App, Error, Result, inference::shown_one, inference::stored_outputs, table};

/// A page ends when it has so many bytes: an answer of a function holds 6 MB.
pub const MAX_PAGE_BYTES: usize = 4 << 20;

/// How many results are put into words at the same time.
const AT_ONCE: usize = 8;

/// A chunk that is over, with what its results are made of.
pub(crate) struct Over {
    job: Job,
    answers: Option<Answers>,
    refused: Vec<Refused>,
}

/// Where a page begins: a chunk, and how many of its inputs were shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    chunk: u32,
    offset: u32,
}

impl Position {
    fn read(cursor: Option<&str>) -> Result<Self> {
        let Some(cursor) = cursor else { return Ok(Self { chunk: 0, offset: 0 }) };
        let parts = cursor.split_once('.');
        let read = parts.and_then(|(chunk, offset)| {
            Some(Self { chunk: chunk.parse().ok()?, offset: offset.parse().ok()? })
        });
        read.ok_or_else(|| {
            Error::invalid("cursor", "take it unchanged from `next_cursor` of a page")
        })
    }

    fn write(self) -> String {
        format!("{}.{}", self.chunk, self.offset)
    }
}

/// A page of a batch's results: at most `limit`, and about `bytes` of them. Where the next begins stays
/// known while there are more to come, now or later.
pub async fn page(
    app: &App,
    customer: &str,
    id: &str,
    cursor: Option<&str>,
    limit: usize,
    bytes: usize,
) -> Result<rest::Results> {
    let batch = super::find(app, customer, id).await?;
    of(app, &batch, cursor, limit, bytes).await
}

pub(super) async fn of(
    app: &App,
    batch: &Batch,
    cursor: Option<&str>,
    limit: usize,
    bytes: usize,
) -> Result<rest::Results> {
    let mut position = Position::read(cursor)?;
    let mut results: Vec<rest::Item> = Vec::new();
    let mut size = 0;
    while position.chunk < batch.chunks && results.len() < limit && size < bytes {
        let Some(over) = over(app, &chunk_id(&batch.id, position.chunk)).await? else { break };
        let inputs = over.job.chunk.as_ref().map_or(0, |chunk| chunk.inputs);
        let last = inputs.min(position.offset.saturating_add((limit - results.len()) as u32));
        let items = stream::iter(position.offset..last).map(|offset| item(app, &over, offset));
        let mut items = std::pin::pin!(items.buffered(AT_ONCE));
        while let Some(item) = items.try_next().await? {
            position.offset += 1;
            size += item.result.as_ref().map_or(64, |result| result.get().len() + 64);
            results.push(item);
            if size >= bytes {
                break;
            }
        }
        if position.offset >= inputs {
            position = Position { chunk: position.chunk + 1, offset: 0 };
        }
    }
    let is_end = batch.state.is_terminal()
        && (position.chunk >= batch.chunks || results.is_empty() && size == 0);
    Ok(rest::Results { results, next_cursor: (!is_end).then(|| position.write()) })
}

/// A chunk that is over; `None` while it is not.
async fn over(app: &App, id: &str) -> Result<Option<Arc<Over>>> {
    if let Some(over) = app.caches().chunks.get(id) {
        return Ok(Some(over));
    }
    let job: Option<Job> = table::load(&*app.ports.records, &table::job(id)).await?;
    let Some(job) = job.filter(|job| job.state.is_terminal()) else { return Ok(None) };
    let chunk = job.chunk.as_ref().ok_or_else(|| Error::internal("a chunk of no batch"))?;
    let refused = match refused_of(&job) {
        None => Vec::new(),
        Some(key) => {
            let file = app.ports.blobs.get(&key, None).await?;
            let file = file.ok_or_else(|| Error::internal("a file of refusals is missing"))?;
            serde_json::from_slice(&file).map_err(Error::internal)?
        }
    };
    let answers = match &job.outcome {
        Some(outcome) => {
            let tensors = stored_outputs(app, &job, outcome).await?;
            let answers = Answers::from_tensors(tensors, chunk.runs() as usize);
            Some(answers.map_err(Error::internal)?)
        }
        None => None,
    };
    let over = Arc::new(Over { job, answers, refused });
    app.caches().chunks.insert(id.to_owned(), over.clone());
    Ok(Some(over))
}

/// What became of the input at `offset` of a chunk.
async fn item(app: &App, over: &Over, offset: u32) -> Result<rest::Item> {
    let job = &over.job;
    let first = job.chunk.as_ref().map_or(0, |chunk| chunk.first);
    let item = rest::Item {
        index: first + u64::from(offset),
        status: "failed".to_owned(),
        result: None,
        warnings: Vec::new(),
        error: None,
    };
    let failed = |code: &str, message: &str| {
        let error = inference::Failure { code: code.to_owned(), message: message.to_owned() };
        rest::Item { error: Some(error), ..item.clone() }
    };
    let place = match over.refused.binary_search_by_key(&offset, |(place, _)| *place) {
        Ok(found) => {
            let Failure { code, message } = &over.refused[found].1;
            return Ok(failed(code, message));
        }
        Err(before) => offset as usize - before,
    };
    let Some(answers) = &over.answers else {
        let status = job.state.name().to_owned();
        let shown = match &job.failure {
            Some(Failure { code, message }) => failed(code, message),
            None => item,
        };
        return Ok(rest::Item { status, ..shown });
    };
    match answers.get(place) {
        Some(Ok(outputs)) => {
            let (result, warnings) = shown_one(app, job, outputs).await?;
            let status = State::Completed.name().to_owned();
            Ok(rest::Item { status, result: Some(result), warnings, ..item })
        }
        Some(Err(fault)) => Ok(failed(&fault.code, &fault.message)),
        None => Err(Error::internal("a chunk has fewer results than inputs")),
    }
}
