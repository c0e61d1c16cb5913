//! Cutting: the next inputs of a batch become a chunk, stored as a job of its own.

use domain::{
    batch::{Batch, Sizing},
    job::{Adapted, Chunk, Event, Failure, Input, Job, New},
    model::Postprocessing,
};
use futures::future::try_join_all;
use ports::Condition;
use protocol::tensor::{self, Named, Tensor};

use super::source::{self, Read, Ready};
use crate::{App, Error, Result, attempts, jobs, models::Record, table, tensors, usual};

/// A chunk of a batch that is near its end has no fewer inputs than this, if there are so many.
const LEAST: u64 = 64;

/// Nor fewer than a device computes in so many milliseconds: a chunk costs the platform as much.
const LEAST_MS: f64 = 20.0;

/// What came of cutting.
pub(super) enum Cut {
    /// A chunk that is not on record yet.
    Piece(Box<Prepared>),
    /// The inputs are gone.
    Gone(Failure),
}

/// A chunk that is not on record yet.
pub(super) struct Prepared {
    chunk: Chunk,
    stacked: Vec<Named>,
    refused: Vec<Refused>,
    by_name: bool,
    adapted: Option<Adapted>,
}

impl Prepared {
    /// Of stacked rows, as many as may run together.
    fn of_rows(batch: &Batch, record: &Record, input_ms: Option<f64>, stacked: Vec<Named>) -> Self {
        let one = tensor::unstack(&stacked, 0).unwrap_or_default();
        let count = tensor::height(&stacked).unwrap_or(0);
        let count = count.min(Piece::new(record, input_ms).sizing(&one).inputs() as usize);
        let chunk = Chunk {
            batch: batch.id.clone(),
            number: batch.chunks,
            first: batch.next_input,
            inputs: count as u32,
            refused: 0,
        };
        let words = record.head.postprocessing.is_some_and(|n| n != Postprocessing::Passthrough);
        Self {
            chunk,
            stacked: stacked.iter().map(|named| top(named, count)).collect(),
            refused: Vec::new(),
            by_name: false,
            // tensors come as tensors unless their owner wants words
            adapted: (words && batch.raw == Some(false)).then_some(Adapted::One),
        }
    }

    /// Which of the inputs it has.
    pub(super) fn chunk(&self) -> &Chunk {
        &self.chunk
    }

    /// How large its inputs are.
    pub(super) fn bytes(&self) -> usize {
        self.stacked.iter().map(|named| named.tensor.data.len()).sum()
    }
}

/// An input that is not fit to be run, by its place in its chunk, as it is stored beside the chunk.
pub(super) type Refused = (u32, Failure);

/// Where the reasons lie for which some inputs of a chunk were not run: beside its inputs.
fn refused_key(inputs: &str) -> String {
    format!("{inputs}.refused")
}

/// Where they lie of a chunk that is on record; `None` when all its inputs are run.
pub(crate) fn refused_of(job: &Job) -> Option<String> {
    let has_some = job.chunk.as_ref().is_some_and(|chunk| chunk.refused > 0);
    match &job.input {
        Input::Blob(file) if has_some => Some(refused_key(&file.key)),
        _ => None,
    }
}

/// The next chunk of a batch; `lanes` is how many chunks the devices have at once.
pub(super) async fn next(app: &App, batch: &Batch, record: &Record, lanes: usize) -> Result<Cut> {
    let input_ms = batch.input_ms.or_else(|| usual::of_stacked(app, &record.version.checksum));
    let left = batch.total - batch.next_input;
    // towards the end chunks get smaller, so that all devices end together
    let least = input_ms.map_or(0, |ms| (LEAST_MS / ms.max(1e-6)) as u64).max(LEAST);
    let share = (left / (2 * lanes.max(1) as u64)).max(least);
    let limit = Sizing { input_bytes: 1, output_bytes: None, input_ms }.inputs();
    let limit = u64::from(limit).min(share).min(left).max(1);
    let read = source::read(app, batch, record, batch.next_input, limit as usize).await?;
    let inputs = match read {
        Read::Each(inputs) => inputs,
        Read::Stacked(stacked) => {
            return Ok(Cut::Piece(Box::new(Prepared::of_rows(batch, record, input_ms, stacked))));
        }
        Read::Gone(failure) => return Ok(Cut::Gone(failure)),
    };
    let mut piece = Piece::new(record, input_ms);
    for input in inputs {
        if !piece.take(input) {
            break;
        }
    }
    Ok(Cut::Piece(Box::new(piece.prepare(batch))))
}

/// Inputs that run together: all of the same names, types and shapes, and shown alike.
struct Piece<'a> {
    record: &'a Record,
    input_ms: Option<f64>,
    most: u32,
    ready: Vec<Ready>,
    refused: Vec<Refused>,
}

impl<'a> Piece<'a> {
    fn new(record: &'a Record, input_ms: Option<f64>) -> Self {
        Self { record, input_ms, most: u32::MAX, ready: Vec::new(), refused: Vec::new() }
    }

    fn len(&self) -> u32 {
        (self.ready.len() + self.refused.len()) as u32
    }

    /// Whether the input is in the piece now.
    fn take(&mut self, input: std::result::Result<Ready, Failure>) -> bool {
        if self.len() >= self.most {
            return false;
        }
        let input = match input {
            Ok(input) => input,
            Err(failure) => {
                self.refused.push((self.len(), failure));
                return true;
            }
        };
        match self.ready.first() {
            None => self.most = self.sizing(&input.inputs).inputs(),
            Some(first) if alike(first, &input) => {}
            Some(_) => return false,
        }
        self.ready.push(input);
        true
    }

    /// The piece as the next chunk of a batch.
    fn prepare(self, batch: &Batch) -> Prepared {
        let chunk = Chunk {
            batch: batch.id.clone(),
            number: batch.chunks,
            first: batch.next_input,
            inputs: self.len(),
            refused: self.refused.len() as u32,
        };
        let requests: Vec<_> = self.ready.iter().map(|ready| ready.inputs.as_slice()).collect();
        let first = self.ready.first();
        Prepared {
            chunk,
            stacked: tensor::stack(&requests).unwrap_or_default(),
            by_name: first.is_some_and(|ready| ready.by_name),
            adapted: first.and_then(|ready| ready.adapted),
            refused: self.refused,
        }
    }

    fn sizing(&self, inputs: &[Named]) -> Sizing {
        let rows = attempts::batch(inputs);
        let outputs = self.record.version.outputs.iter().map(|spec| spec.bytes(rows));
        Sizing {
            input_bytes: inputs.iter().map(|named| named.tensor.data.len() as u64).sum(),
            output_bytes: outputs.sum::<Option<usize>>().map(|bytes| bytes as u64),
            input_ms: self.input_ms,
        }
    }
}

/// The first `count` of what is stacked, sharing its memory.
fn top(named: &Named, count: usize) -> Named {
    let Tensor { dtype, shape, data } = &named.tensor;
    let row = data.len() / shape[0].max(1);
    let shape = std::iter::once(count).chain(shape[1..].iter().copied()).collect();
    let tensor = Tensor { dtype: *dtype, shape, data: data.slice(..count * row) };
    Named { name: named.name.clone(), tensor }
}

fn alike(one: &Ready, other: &Ready) -> bool {
    one.adapted == other.adapted
        && one.by_name == other.by_name
        && one.inputs.len() == other.inputs.len()
        && one.inputs.iter().zip(&other.inputs).all(|(a, b)| {
            a.name == b.name && a.tensor.dtype == b.tensor.dtype && a.tensor.shape == b.tensor.shape
        })
}

/// Puts chunks on record that follow each other, and answers those that are. Where there is one already,
/// from somebody who died before the batch was written, that is the chunk, and the others may not follow it.
pub(super) async fn store(app: &App, batch: &Batch, pieces: Vec<Prepared>) -> Result<Vec<Job>> {
    let written = pieces.iter().map(|piece| write_files(app, batch, piece));
    let jobs: Vec<Job> = try_join_all(written).await?;
    let mut stored: Vec<Job> = Vec::with_capacity(jobs.len());
    let mut follows = true;
    for job in jobs {
        if follows {
            match jobs::store(app, &job, Condition::Absent).await? {
                Ok(_) => {
                    stored.push(job);
                    continue;
                }
                Err(old) => {
                    let old: Job = table::decode(old.unwrap_or_default())?;
                    follows = old.chunk == job.chunk;
                    stored.push(old);
                }
            }
        }
        if let Input::Blob(file) = &job.input {
            app.ports.blobs.delete(&file.key).await?;
        }
        if let Some(refused) = refused_of(&job) {
            app.ports.blobs.delete(&refused).await?;
        }
    }
    Ok(stored)
}

/// Stores what a chunk has beside its record, and answers its record.
async fn write_files(app: &App, batch: &Batch, piece: &Prepared) -> Result<Job> {
    let id = domain::name::chunk_id(&batch.id, piece.chunk.number);
    // whoever cut it before may have cut it otherwise, and its file is not touched
    let key = format!("inputs/{id}/{}", app.ports.clock.id("file"));
    let file = tensors::store(app, key, &piece.stacked).await?;
    if !piece.refused.is_empty() {
        let json = serde_json::to_vec(&piece.refused).map_err(Error::internal)?;
        app.ports.blobs.put(&refused_key(&file.key), json.into()).await?;
    }
    let now = app.now_us();
    let new = New {
        id,
        customer: batch.customer.clone(),
        project: Some(batch.project.clone()),
        model: batch.model.clone(),
        input: Input::Blob(file),
        by_name: piece.by_name,
        adapted: piece.adapted,
        wants: batch.wants.clone(),
        chunk: Some(piece.chunk.clone()),
        body_hash: None,
        attended_ms: None,
        deadline_ms: 0,
    };
    let mut job = Job::new(new, now);
    job.deadline_us = batch.deadline_us;
    job.expires_at = batch.expires_at;
    if piece.chunk.runs() > 0 {
        return Ok(job);
    }
    let message = "none of its inputs is fit to be run".to_owned();
    let failure = Failure { code: "INVALID_INPUT".to_owned(), message };
    let ended = job.decide(Event::Abandon(failure), now, app.lease());
    Ok(ended.map_err(Error::internal)?.job)
}
