//! What the desk keeps behind its lock: every attempt's phase, the queue, and what is to be sent.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Instant,
};

use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_util::sync::CancellationToken;

use super::{Counts, Ids, Lane};
use crate::tasks::Task;

/// Attempts that are over and remembered, so that a late copy of their `taskRun` is not run again.
const REMEMBERED: usize = 4096;

/// One worker takes cheap tasks of one model until they are this much work.
const WORTHWHILE_NS: u64 = 100_000;

/// The most tasks in one run.
const MAX_BATCH: usize = 64;

impl Counts {
    /// How many are open in a lane.
    pub(super) fn of(&mut self, lane: Lane) -> &mut usize {
        match lane {
            Lane::Slots => &mut self.open,
            Lane::Batches => &mut self.batches,
        }
    }
}

#[derive(Default)]
pub(super) struct Inner {
    pub(super) phases: HashMap<Arc<Ids>, Phase>,
    pub(super) waiting: VecDeque<Task>,
    pub(super) waiting_batches: VecDeque<Task>,
    pub(super) outbox: Vec<Utf8Bytes>,
    over: HashSet<u64>,
    over_in_order: VecDeque<u64>,
    hasher: RandomState,
    pub(super) counts: Counts,
    pub(super) idle_workers: usize,
    pub(super) results: u64,
    pub(super) closed: bool,
}

/// Where an attempt is.
pub(super) enum Phase {
    /// Admitted; `fetching` while it lacks its model or its inputs.
    Open { lane: Lane, fetching: Option<CancellationToken>, cancelled: bool },
    /// Over, and not acknowledged; `number` is its place among the results.
    Result { frame: Utf8Bytes, since: Instant, number: u64 },
}

impl Inner {
    /// Adds waiting tasks of the same model: a fair share of them, and more while they are cheap.
    pub(super) fn complete(&mut self, first: Task) -> Vec<Task> {
        let model = first.model.clone();
        let same = |task: &Task| Arc::ptr_eq(&task.model, &model);
        let total = 1 + self.waiting.iter().filter(|task| same(task)).count();
        let share = total.div_ceil(self.idle_workers + 1);
        let cheap = WORTHWHILE_NS.checked_div(model.cost_ns()).map_or(1, |count| count as usize);
        let count = share.max(cheap).min(MAX_BATCH);
        let mut batch = vec![first];
        let mut index = 0;
        while batch.len() < count && index < self.waiting.len() {
            if same(&self.waiting[index]) {
                batch.extend(self.waiting.remove(index));
            } else {
                index += 1;
            }
        }
        batch
    }

    /// Whether it waited for a worker; then it is forgotten.
    pub(super) fn remove_waiting(&mut self, ids: &Ids) -> bool {
        let queues = [&mut self.waiting, &mut self.waiting_batches];
        let removed = queues.into_iter().any(|waiting| {
            let place = waiting.iter().position(|task| *task.ids == *ids);
            place.and_then(|place| waiting.remove(place)).is_some()
        });
        if removed {
            self.forget(ids);
        }
        removed
    }

    /// Whether it was cancelled; then it is forgotten.
    pub(super) fn drop_if_cancelled(&mut self, ids: &Ids) -> bool {
        let cancelled = matches!(self.phases.get(ids), Some(Phase::Open { cancelled: true, .. }));
        if cancelled {
            self.forget(ids);
        }
        cancelled
    }

    /// It is over.
    pub(super) fn forget(&mut self, ids: &Ids) {
        match self.phases.remove(ids) {
            Some(Phase::Open { lane, .. }) => *self.counts.of(lane) -= 1,
            Some(Phase::Result { .. }) => self.counts.unacknowledged -= 1,
            None => {}
        }
        self.remember(ids);
    }

    /// A late copy of it is not run.
    pub(super) fn remember(&mut self, ids: &Ids) {
        let hash = self.hasher.hash_one(ids);
        if self.over.insert(hash) {
            self.over_in_order.push_back(hash);
        }
        if self.over_in_order.len() > REMEMBERED
            && let Some(oldest) = self.over_in_order.pop_front()
        {
            self.over.remove(&oldest);
        }
    }

    pub(super) fn is_over(&self, ids: &Ids) -> bool {
        self.over.contains(&self.hasher.hash_one(ids))
    }
}
