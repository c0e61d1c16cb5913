//! Batches: many inputs of one model, cut into chunks that are jobs of their own.
//!
//! A batch knows how far it is cut, which of its chunks are open, and how its inputs ended. It holds no
//! list of its chunks: their ids follow from its own, and so it stays small however many they are.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    job::{Chunk, Failure, State, StoredFile, Wants},
    model::Pin,
};

mod ranges;
mod sizing;

pub use sizing::Sizing;

/// The most inputs of a batch that come in the request's body.
pub const MAX_IN_BODY: u64 = 10_000;

/// The most inputs of a batch.
pub const MAX_INPUTS: u64 = 1_000_000;

/// The most chunks that are open at once.
pub const MAX_OPEN: usize = 4_096;

/// How long a batch is kept after its deadline.
pub const KEPT_SECONDS: u64 = crate::job::KEPT_SECONDS;

/// A batch, as it is stored. Times are epoch microseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// `batch_…`
    pub id: String,
    /// Who pays.
    pub customer: String,
    /// The project it belongs to.
    pub project: String,
    /// What people call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What runs.
    pub model: Pin,
    /// Whether the model's adapters stay away; by default from tensors only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<bool>,
    /// Where it may run.
    pub wants: Wants,
    /// Its inputs.
    pub source: Source,
    /// How many inputs it has.
    pub total: u64,
    /// Where it stands: it is running as soon as it is cut.
    pub state: State,
    /// When it was accepted.
    pub created_us: u64,
    /// When it ends, whatever is missing.
    pub deadline_us: u64,
    /// SHA-256 of the request's body, when it came with an `Idempotency-Key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_hash: Option<String>,
    /// The first input that is in no chunk.
    pub next_input: u64,
    /// How many chunks there are.
    pub chunks: u32,
    /// The chunks whose end is not counted.
    #[serde(with = "ranges")]
    pub open: BTreeSet<u32>,
    /// Inputs with a result.
    pub completed: u64,
    /// Inputs that have none, for good.
    pub failed: u64,
    /// What one input usually takes to compute, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_ms: Option<f64>,
    /// Which of the messages that look after it again and again is the one that goes on.
    pub tick: u64,
    /// Of the item.
    pub version: u64,
    /// When it reached its terminal state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_us: Option<u64>,
    /// Why it did not complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Epoch second after which the item may go.
    pub expires_at: u64,
}

/// Where the inputs of a batch are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// They came in the request: a JSON list of them.
    Body(StoredFile),
    /// The rows of a dataset.
    Dataset {
        /// `dataset_…`
        id: String,
    },
}

/// A request for a batch, before anything happened to it.
#[derive(Clone, Debug)]
pub struct New {
    /// `batch_…`
    pub id: String,
    /// Who pays.
    pub customer: String,
    /// The project it belongs to; by default one of its own.
    pub project: Option<String>,
    /// What people call it.
    pub name: Option<String>,
    /// What runs.
    pub model: Pin,
    /// Whether the model's adapters stay away.
    pub raw: Option<bool>,
    /// Where it may run.
    pub wants: Wants,
    /// Its inputs.
    pub source: Source,
    /// How many inputs it has.
    pub total: u64,
    /// SHA-256 of the body, when it came with an `Idempotency-Key`.
    pub body_hash: Option<String>,
    /// How long it may take.
    pub deadline_ms: u64,
}

/// How a chunk ended, in inputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ended {
    /// The chunk's number.
    pub number: u32,
    /// With a result.
    pub completed: u64,
    /// Without.
    pub failed: u64,
    /// What an input took to compute, in milliseconds, if it is known.
    pub input_ms: Option<f64>,
}

impl Batch {
    /// A batch as it is accepted: queued.
    pub fn new(new: New, now_us: u64) -> Self {
        let deadline_us = now_us + new.deadline_ms * 1000;
        Self {
            project: new.project.unwrap_or_else(|| new.id.clone()),
            id: new.id,
            customer: new.customer,
            name: new.name,
            model: new.model,
            raw: new.raw,
            wants: new.wants,
            source: new.source,
            total: new.total,
            state: State::Queued,
            created_us: now_us,
            deadline_us,
            body_hash: new.body_hash,
            next_input: 0,
            chunks: 0,
            open: BTreeSet::new(),
            completed: 0,
            failed: 0,
            input_ms: None,
            tick: 0,
            version: 1,
            ended_us: None,
            failure: None,
            expires_at: deadline_us / 1_000_000 + KEPT_SECONDS,
        }
    }

    /// Whether every input is in a chunk.
    pub fn is_cut(&self) -> bool {
        self.next_input >= self.total
    }

    /// The next `inputs` inputs are a chunk now, if they are `chunk`; whether they are.
    pub fn cut(&mut self, chunk: &Chunk) -> bool {
        let fits = !self.state.is_terminal()
            && chunk.number == self.chunks
            && chunk.first == self.next_input
            && chunk.inputs > 0
            && u64::from(chunk.inputs) <= self.total - self.next_input;
        if fits {
            self.state = State::Running;
            self.open.insert(chunk.number);
            self.chunks += 1;
            self.next_input += u64::from(chunk.inputs);
        }
        fits
    }

    /// Counts the end of a chunk, once however often it is told; whether it was news.
    pub fn count(&mut self, ended: &Ended) -> bool {
        if self.state.is_terminal() || !self.open.remove(&ended.number) {
            return false;
        }
        self.completed += ended.completed;
        self.failed += ended.failed;
        if let Some(took) = ended.input_ms.filter(|ms| ms.is_finite() && *ms >= 0.0) {
            // the first runs of a device build plans: what is quicker is believed at once
            self.input_ms = Some(match self.input_ms {
                Some(known) if took > known => known * 0.7 + took * 0.3,
                _ => took,
            });
        }
        true
    }

    /// Ends the batch if all its inputs have; whether it ended now.
    pub fn complete(&mut self, now_us: u64) -> bool {
        let is_over = !self.state.is_terminal() && self.is_cut() && self.open.is_empty();
        if is_over {
            self.end(State::Completed, None, now_us);
        }
        is_over
    }

    /// Ends the batch before its inputs have; whether it had not ended yet.
    pub fn stop(&mut self, state: State, failure: Option<Failure>, now_us: u64) -> bool {
        let stops = !self.state.is_terminal() && state.is_terminal();
        if stops {
            self.end(state, failure, now_us);
        }
        stops
    }

    /// Ends the batch if its deadline has passed; whether it ended now.
    pub fn expire(&mut self, now_us: u64) -> bool {
        let over = self.completed + self.failed;
        let message = format!("the deadline passed when {over} of {} inputs were over", self.total);
        let failure = Failure { code: "DEADLINE_EXCEEDED".to_owned(), message };
        now_us >= self.deadline_us && self.stop(State::TimedOut, Some(failure), now_us)
    }

    fn end(&mut self, state: State, failure: Option<Failure>, now_us: u64) {
        self.state = state;
        self.failure = failure;
        self.ended_us = Some(now_us);
    }
}
