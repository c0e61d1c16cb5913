//! What the agent has in hand, from `taskRun` to `taskAck`: each attempt once, as many as there is room
//! for, and every result until the platform has it.

mod inner;
#[cfg(test)]
mod tests;

use std::{
    hash::{Hash, Hasher},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_util::sync::CancellationToken;

use self::inner::{Inner, Phase};
use crate::tasks::Task;

/// Which attempt: what every message about it echoes.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    pub task_id: String,
    pub attempt: u32,
    pub fence: String,
}

// The attempt's number follows from its fence and is not in every message.
impl PartialEq for Ids {
    fn eq(&self, other: &Self) -> bool {
        self.task_id == other.task_id && self.fence == other.fence
    }
}

impl Eq for Ids {}

impl Hash for Ids {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.task_id.hash(state);
        self.fence.hash(state);
    }
}

/// Whether an attempt is taken.
pub(crate) enum Admission {
    /// It is, and must be finished.
    Taken(Arc<Ids>),
    /// It came before; if its result is there, it is sent again.
    Known,
    /// There is no room.
    Busy,
    /// The agent is leaving.
    Leaving,
}

/// Where an attempt runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// On a slot: somebody waits for it.
    Slots,
    /// Beside the slots, on threads that step back: a piece of a batch.
    Batches,
}

impl Lane {
    pub(crate) fn of(stacked: bool) -> Self {
        if stacked { Self::Batches } else { Self::Slots }
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// With outputs, so many milliseconds after receipt.
    Done(f64),
    Failed,
}

/// Numbers for the status.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Admitted and not finished, on the slots.
    pub open: usize,
    /// Likewise, of pieces of batches.
    pub batches: usize,
    /// Finished and not acknowledged.
    pub unacknowledged: usize,
    pub done: u64,
    pub failed: u64,
    pub declined: u64,
    pub draining: bool,
    /// From receipt to result of the last task that gave outputs, in milliseconds.
    pub last_latency_ms: Option<f64>,
}

impl Counts {
    /// Admitted and not finished, anywhere.
    pub(crate) fn in_hand(&self) -> usize {
        self.open + self.batches
    }
}

pub(crate) struct Desk {
    slots: usize,
    inner: Mutex<Inner>,
    /// There is waiting work, or there will never be any again.
    work: Condvar,
    /// The same of pieces of batches.
    batch_work: Condvar,
    /// There is something to send.
    pub news: Notify,
}

impl Desk {
    pub(crate) fn new(slots: u32) -> Self {
        let (inner, work, batch_work, news) = Default::default();
        Self { slots: slots as usize, inner, work, batch_work, news }
    }

    /// Takes an attempt when there is room: `slots` run and twice as many wait; of pieces of batches one
    /// for each slot runs and another is fetched meanwhile.
    pub(crate) fn admit(&self, ids: &Ids, lane: Lane) -> Admission {
        let mut inner = self.lock();
        if let Some(phase) = inner.phases.get(ids) {
            if let Phase::Result { frame, .. } = phase {
                let frame = frame.clone();
                inner.outbox.push(frame);
            }
            return Admission::Known;
        }
        if inner.is_over(ids) {
            return Admission::Known;
        }
        if inner.counts.draining {
            return Admission::Leaving;
        }
        let is_full = match lane {
            Lane::Slots => inner.counts.open >= 3 * self.slots,
            Lane::Batches => inner.counts.batches >= 2 * self.slots,
        };
        if is_full {
            return Admission::Busy;
        }
        let ids = Arc::new(ids.clone());
        inner.phases.insert(ids.clone(), Phase::Open { lane, fetching: None, cancelled: false });
        *inner.counts.of(lane) += 1;
        Admission::Taken(ids)
    }

    /// Sends a frame that is not kept: that an attempt was not taken.
    pub(crate) fn decline(&self, frame: Utf8Bytes) {
        let mut inner = self.lock();
        inner.counts.declined += 1;
        inner.outbox.push(frame);
        drop(inner);
        self.news.notify_one();
    }

    /// Sends frames that are not kept.
    pub(crate) fn say(&self, frames: Vec<String>) {
        self.lock().outbox.extend(frames.into_iter().map(Utf8Bytes::from));
        self.news.notify_one();
    }

    /// What ends an admitted attempt's fetching when it is cancelled.
    pub(crate) fn fetch(&self, ids: &Ids) -> CancellationToken {
        let token = CancellationToken::new();
        if let Some(Phase::Open { fetching, .. }) = self.lock().phases.get_mut(ids) {
            *fetching = Some(token.clone());
        }
        token
    }

    /// Puts tasks that could run into the queue.
    pub(crate) fn enqueue(&self, tasks: impl IntoIterator<Item = Task>) {
        let mut inner = self.lock();
        for task in tasks {
            match inner.phases.get_mut(&task.ids) {
                Some(Phase::Open { fetching, cancelled: false, .. }) => {
                    *fetching = None;
                    match Lane::of(task.stacked) {
                        Lane::Slots => inner.waiting.push_back(task),
                        Lane::Batches => {
                            inner.waiting_batches.push_back(task);
                            self.batch_work.notify_one();
                        }
                    }
                }
                // cancelled in the moment when it became ready
                _ => {
                    inner.drop_if_cancelled(&task.ids);
                    self.news.notify_one();
                }
            }
        }
        if !inner.waiting.is_empty() && inner.idle_workers > 0 {
            self.work.notify_one();
        }
    }

    /// Whether nothing waits, so that a task may overtake the queue without overtaking anybody.
    pub(crate) fn is_nothing_waiting(&self) -> bool {
        self.lock().waiting.is_empty()
    }

    /// The next tasks for one worker, all of one model; waits for some. `None` when the agent has ended.
    pub(crate) fn take(&self) -> Option<Vec<Task>> {
        let mut inner = self.lock();
        loop {
            if inner.closed {
                return None;
            }
            if let Some(first) = inner.waiting.pop_front() {
                let batch = inner.complete(first);
                if !inner.waiting.is_empty() && inner.idle_workers > 0 {
                    self.work.notify_one();
                }
                return Some(batch);
            }
            inner.idle_workers += 1;
            inner = self.work.wait(inner).unwrap_or_else(PoisonError::into_inner);
            inner.idle_workers -= 1;
        }
    }

    /// The next piece of a batch; waits for one. `None` when the agent has ended.
    pub(crate) fn take_batch(&self) -> Option<Task> {
        let mut inner = self.lock();
        loop {
            if inner.closed {
                return None;
            }
            if let Some(task) = inner.waiting_batches.pop_front() {
                return Some(task);
            }
            inner = self.batch_work.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Keeps the result of an attempt and sends it; `false` when nobody wants it any more.
    pub(crate) fn finish(&self, ids: &Arc<Ids>, end: End, frame: String) -> bool {
        let mut inner = self.lock();
        if inner.drop_if_cancelled(ids) {
            self.news.notify_one();
            return false;
        }
        let Some(Phase::Open { lane, .. }) = inner.phases.get(ids) else { return false };
        let lane = *lane;
        match end {
            End::Done(latency_ms) => {
                inner.counts.done += 1;
                inner.counts.last_latency_ms = Some(latency_ms);
            }
            End::Failed => inner.counts.failed += 1,
        }
        *inner.counts.of(lane) -= 1;
        inner.counts.unacknowledged += 1;
        inner.results += 1;
        let frame = Utf8Bytes::from(frame);
        inner.outbox.push(frame.clone());
        let phase = Phase::Result { frame, since: Instant::now(), number: inner.results };
        inner.phases.insert(ids.clone(), phase);
        drop(inner);
        self.news.notify_one();
        true
    }

    /// The platform has the result.
    pub(crate) fn acknowledge(&self, ids: &Ids) {
        let mut inner = self.lock();
        if matches!(inner.phases.get(ids), Some(Phase::Result { .. })) {
            inner.forget(ids);
        }
    }

    /// Nobody wants the attempt any more: work that waits or fetches goes at once, the result of
    /// running work later.
    pub(crate) fn cancel(&self, ids: &Ids) {
        let mut inner = self.lock();
        if inner.remove_waiting(ids) {
            return;
        }
        match inner.phases.get_mut(ids) {
            Some(Phase::Open { fetching: Some(token), .. }) => {
                token.cancel();
                inner.forget(ids);
            }
            Some(Phase::Open { cancelled, .. }) => *cancelled = true,
            Some(Phase::Result { .. }) => inner.forget(ids),
            // it overtook its `taskRun`
            None => inner.remember(ids),
        }
    }

    /// Takes nothing new from now on; `false` when that was so already.
    pub(crate) fn drain(&self) -> bool {
        !std::mem::replace(&mut self.lock().counts.draining, true)
    }

    /// Ends the workers after what they compute now.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.work.notify_all();
        self.batch_work.notify_all();
    }

    /// Moves what is to be sent to `frames`.
    pub(crate) fn outbox(&self, frames: &mut Vec<Utf8Bytes>) {
        frames.append(&mut self.lock().outbox);
    }

    /// On a new connection: sends every unacknowledged result again, in the order they came.
    pub(crate) fn resend(&self) {
        let mut inner = self.lock();
        let mut results: Vec<(u64, Utf8Bytes)> = inner
            .phases
            .values()
            .filter_map(|phase| match phase {
                Phase::Result { frame, number, .. } => Some((*number, frame.clone())),
                Phase::Open { .. } => None,
            })
            .collect();
        results.sort_unstable_by_key(|(number, _)| *number);
        inner.outbox = results.into_iter().map(|(_, frame)| frame).collect();
    }

    /// Forgets results that nobody acknowledged for so long.
    pub(crate) fn expire(&self, age: Duration) {
        let mut inner = self.lock();
        let old: Vec<Arc<Ids>> = inner
            .phases
            .iter()
            .filter(
                |(_, phase)| matches!(phase, Phase::Result { since, .. } if since.elapsed() > age),
            )
            .map(|(ids, _)| ids.clone())
            .collect();
        old.iter().for_each(|ids| inner.forget(ids));
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// Tasks that run at once.
    pub(crate) fn slots(&self) -> u32 {
        self.slots as u32
    }

    /// Slots to be offered: those without work, and none when nothing new is taken.
    pub(crate) fn slots_free(&self) -> u32 {
        let Counts { open, draining, .. } = self.counts();
        if draining { 0 } else { self.slots.saturating_sub(open) as u32 }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // nothing that holds the lock can panic half-way through a change
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
