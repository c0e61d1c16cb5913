//! Jobs: one submitted intent, its attempts, and what may become of it.
//!
//! A single inference is a job with one task, kept in one item. [`Job::decide`] is the only way a
//! job changes, but for the finish of the hot path, [`finish`], which needs no job: its condition
//! (the fence is live) is checked by the store.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    lease,
    model::{Pin, Placement},
};

mod decide;
mod rest;
mod tensors;

pub use decide::{Decision, Event, Refusal};
pub use rest::Resting;
pub use tensors::Tensors;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nobody works on it.
    Queued,
    /// A device has it.
    Running,
    /// It has its result.
    Completed,
    /// It will have none; `failure` says why.
    Failed,
    /// Its owner does not want it any more.
    Cancelled,
    /// Its deadline passed first.
    TimedOut,
}

impl State {
    /// Whether nothing can happen to the job any more.
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
        }
    }
}

/// What makes the result of an attempt welcome; unguessable, so that holding it is the proof.
pub type Fence = String;

/// One inference, as it is stored. Times are epoch microseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// `infer_…`, or `batch_…-N` of a piece of a batch.
    pub id: String,
    /// Who pays.
    pub customer: String,
    /// The project it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// What runs.
    pub model: Pin,
    /// Where it stands.
    pub state: State,
    /// When it was accepted.
    pub created_us: u64,
    /// When it ends without a result.
    pub deadline_us: u64,
    /// Until then the call that submitted it looks after it; later the queue does.
    pub attended_until_us: u64,
    /// The state in which its caller was told that it goes on without it: the answer to a repetition
    /// of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_as: Option<State>,
    /// What it runs on.
    pub input: Input,
    /// The caller named the inputs, and wants the outputs by name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_name: bool,
    /// Its caller expects the answer of the model's adapter; otherwise tensors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapted: Option<Adapted>,
    /// Where it may run.
    #[serde(default, skip_serializing_if = "Wants::is_default")]
    pub wants: Wants,
    /// The piece of a batch that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunk: Option<Chunk>,
    /// SHA-256 of the request's body, when it came with an `Idempotency-Key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_hash: Option<String>,
    /// The live attempts: fence → index in `attempts`.
    pub fences: BTreeMap<Fence, usize>,
    /// Every attempt so far.
    pub attempts: Vec<Attempt>,
    /// Of the item.
    pub version: u64,
    /// When it reached its terminal state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_us: Option<u64>,
    /// What the winning attempt brought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Why there is no result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Epoch second after which the item may go.
    pub expires_at: u64,
}

/// What a job runs on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// Small enough for the item.
    Inline(Tensors),
    /// A safetensors file.
    Blob(StoredFile),
    /// Only the waiting call has it; it is stored when the call stops waiting.
    Caller,
}

/// How a result is put into words: by the adapter behind the model, of the revision that the job
/// pins, whenever it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adapted {
    /// One answer, or a list if the model gave several rows.
    One,
    /// A list, because the input was one.
    Many,
}

/// A piece of a batch: some of its inputs, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// `batch_…`
    pub batch: String,
    /// Its place among the batch's chunks, from 0.
    pub number: u32,
    /// The place of its first input among the batch's, from 0.
    pub first: u64,
    /// How many inputs it has.
    pub inputs: u32,
    /// How many of them are not fit to be run: the rest is what devices are given, stacked.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refused: u32,
}

impl Chunk {
    /// How many of its inputs are run.
    pub fn runs(&self) -> u32 {
        self.inputs.saturating_sub(self.refused)
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A file in the object store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Where.
    pub key: String,
    /// `sha256:` and 64 hex digits.
    pub checksum: String,
    /// Its length.
    pub bytes: u64,
}

/// Where a job may run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wants {
    /// On whose devices.
    pub placement: Placement,
    /// A graphics processor, if there is one.
    #[serde(default)]
    pub prefer_gpu: bool,
    /// Only this kind of machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
}

impl Wants {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// One try of a job on one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its fence.
    pub fence: Fence,
    /// `dev_…`
    pub device: String,
    /// The device's session when it was sent.
    pub session: String,
    /// When it was sent.
    pub sent_us: u64,
    /// How it ended, when it did not win.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
}

/// How an attempt ended that did not win.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// When.
    pub at_us: u64,
    /// How.
    pub kind: EndKind,
    /// A sentence for people.
    pub reason: String,
}

impl End {
    /// Whether the device had taken the work, so that the attempt counts.
    pub fn was_tried(&self) -> bool {
        !matches!(self.kind, EndKind::Declined | EndKind::Refused)
    }
}

/// How an attempt ended that did not win.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndKind {
    /// The device was full, or could not be reached; does not count against the job.
    Declined,
    /// The device does not take such work now, full or not; does not count either.
    Refused,
    /// It was tried and did not work.
    Failed,
    /// The device went away with it; a late result is still welcome while nobody took over.
    Lost,
}

/// Why a job has no result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// A short name for programs.
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

/// What the winning attempt brought.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The fence that won.
    pub fence: Fence,
    /// Where the result is.
    pub result: Output,
    /// How many of a chunk's inputs have none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u32,
    /// Waiting on the device, in milliseconds.
    #[serde(default)]
    pub queue_ms: f64,
    /// Computing, in milliseconds.
    #[serde(default)]
    pub compute_ms: f64,
    /// Processor time, in milliseconds.
    #[serde(default)]
    pub cpu_ms: f64,
    /// Time of the graphics processor, in milliseconds.
    #[serde(default)]
    pub gpu_ms: f64,
}

/// Where a result is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// Small enough for the item.
    Inline(Tensors),
    /// In an item beside the job's, named by the fence.
    Beside,
    /// A safetensors file.
    Blob(StoredFile),
}

/// The attributes that the finish of a job sets, on the condition that `outcome.fence` is live.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finish {
    state: State,
    ended_us: u64,
    outcome: Outcome,
    fences: BTreeMap<Fence, usize>,
}

/// The finish of a job by a result. That its fence is live means that the job is not terminal:
/// every terminal state removes all fences.
pub fn finish(outcome: Outcome, now_us: u64) -> Finish {
    Finish { state: State::Completed, ended_us: now_us, outcome, fences: BTreeMap::new() }
}

impl Finish {
    /// Applies it to a job at hand, whose attempt is `outcome.fence`.
    pub fn apply(self, job: &mut Job) {
        job.state = self.state;
        job.ended_us = Some(self.ended_us);
        job.outcome = Some(self.outcome);
        job.fences = self.fences;
    }
}

/// A request for a job, before anything happened to it.
#[derive(Clone, Debug)]
pub struct New {
    /// `infer_…`, or `batch_…-N` of a piece of a batch.
    pub id: String,
    /// Who pays.
    pub customer: String,
    /// The project it belongs to.
    pub project: Option<String>,
    /// What runs.
    pub model: Pin,
    /// What it runs on.
    pub input: Input,
    /// The caller named the inputs, and wants the outputs by name.
    pub by_name: bool,
    /// Its caller expects the answer of the model's adapter.
    pub adapted: Option<Adapted>,
    /// Where it may run.
    pub wants: Wants,
    /// The piece of a batch that it is.
    pub chunk: Option<Chunk>,
    /// SHA-256 of the body, when it came with an `Idempotency-Key`.
    pub body_hash: Option<String>,
    /// How long the submitting call looks after it; without one the job is accepted as it is.
    pub attended_ms: Option<u64>,
    /// How long it may take.
    pub deadline_ms: u64,
}

/// How long a job is kept after its deadline.
pub const KEPT_SECONDS: u64 = 7 * 24 * 3600;

impl Job {
    /// A job as it is accepted: queued.
    pub fn new(new: New, now_us: u64) -> Self {
        let deadline_us = now_us + new.deadline_ms * 1000;
        Self {
            id: new.id,
            customer: new.customer,
            project: new.project,
            model: new.model,
            state: State::Queued,
            created_us: now_us,
            deadline_us,
            attended_until_us: now_us + new.attended_ms.unwrap_or(0) * 1000,
            accepted_as: if new.attended_ms.is_none() { Some(State::Queued) } else { None },
            input: new.input,
            by_name: new.by_name,
            adapted: new.adapted,
            wants: new.wants,
            chunk: new.chunk,
            body_hash: new.body_hash,
            fences: BTreeMap::new(),
            attempts: Vec::new(),
            version: 1,
            ended_us: None,
            outcome: None,
            failure: None,
            expires_at: deadline_us / 1_000_000 + KEPT_SECONDS,
        }
    }

    /// Attempts that count: all but those that no device took.
    pub fn tried(&self) -> u32 {
        let counts = |attempt: &&Attempt| attempt.end.as_ref().is_none_or(End::was_tried);
        self.attempts.iter().filter(counts).count() as u32
    }

    /// Whether one more device may be asked.
    pub fn may_try(&self, settings: &lease::Settings) -> bool {
        !self.state.is_terminal() && self.tried() < settings.max_attempts
    }

    /// The attempts that somebody still works on: live, and not known to be lost.
    pub fn working(&self) -> impl Iterator<Item = &Attempt> {
        self.fences
            .values()
            .filter_map(|index| self.attempts.get(*index))
            .filter(|a| a.end.is_none())
    }

    /// Whether the submitting call still looks after it.
    pub fn is_attended(&self, now_us: u64) -> bool {
        now_us < self.attended_until_us
    }

    /// The winning attempt.
    pub fn winner(&self) -> Option<&Attempt> {
        let won = &self.outcome.as_ref()?.fence;
        self.attempts.iter().find(|attempt| attempt.fence == *won)
    }

    /// Where the time went, in milliseconds: queue, transfer, compute, total. `None` before the end.
    pub fn timings_ms(&self) -> Option<[f64; 4]> {
        let total = (self.ended_us?.saturating_sub(self.created_us)) as f64 / 1000.0;
        let Some((outcome, winner)) = self.outcome.as_ref().zip(self.winner()) else {
            return Some([total, 0.0, 0.0, total]);
        };
        let before = winner.sent_us.saturating_sub(self.created_us) as f64 / 1000.0;
        // what a device says may be anything; the parts are never negative nor exceed the whole
        let queue = (before + outcome.queue_ms.max(0.0)).min(total);
        let compute = outcome.compute_ms.max(0.0).min(total - queue);
        Some([queue, total - queue - compute, compute, total])
    }
}
