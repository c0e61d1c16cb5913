//! What a device has in hand, from `taskRun` to `taskAck`, in two lanes: tasks that somebody waits for,
//! and pieces of batches beside them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use domain::fleet::{BATCHES_PER_SLOT, WAITING_PER_SLOT};
use protocol::socket::TaskRun;

/// Which attempt.
#[derive(Clone, Debug)]
pub(super) struct Ids {
    pub(super) task_id: String,
    pub(super) fence: String,
    pub(super) attempt: u32,
}

impl Ids {
    fn key(&self) -> (String, String) {
        (self.task_id.clone(), self.fence.clone())
    }
}

/// What became of an attempt so far.
enum Phase {
    /// It waits or runs; nobody may want it any more.
    Open { run: Box<TaskRun>, cancelled: bool },
    /// Its result is kept until it is acknowledged.
    Result(String),
}

#[derive(Default)]
struct Lane {
    waiting: VecDeque<Ids>,
    running: u32,
}

impl Lane {
    fn open(&self) -> u32 {
        self.running + self.waiting.len() as u32
    }
}

#[derive(Default)]
pub(super) struct Desk {
    phases: BTreeMap<(String, String), Phase>,
    tasks: Lane,
    batches: Lane,
    /// Attempts that are over.
    over: BTreeSet<(String, String)>,
}

impl Desk {
    fn lane(&mut self, run: &TaskRun) -> &mut Lane {
        if run.stacked.is_some() { &mut self.batches } else { &mut self.tasks }
    }

    /// Tasks on the slots, and whatever waits or runs.
    pub(super) fn open(&self) -> (u32, u32) {
        (self.tasks.open(), self.tasks.open() + self.batches.open())
    }

    /// Whether there is room for one more.
    pub(super) fn has_room(&mut self, run: &TaskRun, slots: u32) -> bool {
        let places = match run.stacked {
            Some(_) => BATCHES_PER_SLOT,
            None => 1 + WAITING_PER_SLOT,
        };
        self.lane(run).open() < slots * places
    }

    /// Every attempt in hand.
    pub(super) fn fences(&self) -> Vec<String> {
        self.phases.keys().map(|(_, fence)| fence.clone()).collect()
    }

    /// Results that were not acknowledged.
    pub(super) fn results(&self) -> Vec<String> {
        let result = |phase: &Phase| match phase {
            Phase::Result(frame) => Some(frame.clone()),
            Phase::Open { .. } => None,
        };
        self.phases.values().filter_map(result).collect()
    }

    /// Whether the attempt came before; its result, if there is one to be sent again.
    pub(super) fn known(&self, ids: &Ids) -> Option<Option<String>> {
        match self.phases.get(&ids.key()) {
            Some(Phase::Result(frame)) => Some(Some(frame.clone())),
            Some(Phase::Open { .. }) => Some(None),
            None => self.over.contains(&ids.key()).then_some(None),
        }
    }

    pub(super) fn admit(&mut self, ids: Ids, run: TaskRun) {
        self.lane(&run).waiting.push_back(ids.clone());
        self.phases.insert(ids.key(), Phase::Open { run: Box::new(run), cancelled: false });
    }

    /// The next one that runs, if one may, and of how many requests it is if it is a piece of a batch.
    pub(super) fn start(&mut self, slots: u32) -> Option<(Ids, Option<u32>)> {
        let lanes = [&mut self.tasks, &mut self.batches].into_iter();
        let lane =
            lanes.into_iter().find(|lane| lane.running < slots && !lane.waiting.is_empty())?;
        let next = lane.waiting.pop_front()?;
        lane.running += 1;
        let requests = match self.phases.get(&next.key()) {
            Some(Phase::Open { run, .. }) => run.stacked,
            _ => None,
        };
        Some((next, requests))
    }

    /// One has run: what it was, unless nobody wants it any more.
    pub(super) fn take_run(&mut self, ids: &Ids) -> Option<TaskRun> {
        let Some(Phase::Open { run, cancelled }) = self.phases.remove(&ids.key()) else {
            return None;
        };
        let lane = self.lane(&run);
        lane.running = lane.running.saturating_sub(1);
        if cancelled {
            self.over.insert(ids.key());
            return None;
        }
        Some(*run)
    }

    pub(super) fn finish(&mut self, ids: Ids, frame: String) {
        self.phases.insert(ids.key(), Phase::Result(frame));
    }

    /// The platform has the result: what was said.
    pub(super) fn forget(&mut self, ids: &Ids) -> Option<String> {
        let Some(Phase::Result(frame)) = self.phases.get(&ids.key()) else { return None };
        let frame = frame.clone();
        self.phases.remove(&ids.key());
        self.over.insert(ids.key());
        Some(frame)
    }

    /// Nobody wants it any more.
    pub(super) fn cancel(&mut self, ids: &Ids) {
        for lane in [&mut self.tasks, &mut self.batches] {
            if let Some(place) = lane.waiting.iter().position(|waiting| waiting.key() == ids.key())
            {
                lane.waiting.remove(place);
                self.phases.remove(&ids.key());
                self.over.insert(ids.key());
                return;
            }
        }
        match self.phases.get_mut(&ids.key()) {
            Some(Phase::Open { cancelled, .. }) => *cancelled = true,
            Some(Phase::Result(_)) => drop(self.forget(ids)),
            // it overtook its `taskRun`
            None => drop(self.over.insert(ids.key())),
        }
    }
}
