//! What a device has in hand, from `taskRun` to `taskAck`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

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
pub(super) struct Desk {
    phases: BTreeMap<(String, String), Phase>,
    waiting: VecDeque<Ids>,
    running: u32,
    /// Attempts that are over.
    over: BTreeSet<(String, String)>,
}

impl Desk {
    /// Tasks that wait or run.
    pub(super) fn open(&self) -> u32 {
        self.running + self.waiting.len() as u32
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
        self.phases.insert(ids.key(), Phase::Open { run: Box::new(run), cancelled: false });
        self.waiting.push_back(ids);
    }

    /// The next one that runs, if one may.
    pub(super) fn start(&mut self, slots: u32) -> Option<Ids> {
        if self.running >= slots {
            return None;
        }
        let next = self.waiting.pop_front()?;
        self.running += 1;
        Some(next)
    }

    /// One has run: what it was, unless nobody wants it any more.
    pub(super) fn take_run(&mut self, ids: &Ids) -> Option<TaskRun> {
        self.running = self.running.saturating_sub(1);
        match self.phases.remove(&ids.key()) {
            Some(Phase::Open { run, cancelled: false }) => Some(*run),
            _ => {
                self.over.insert(ids.key());
                None
            }
        }
    }

    pub(super) fn finish(&mut self, ids: Ids, frame: String) {
        self.phases.insert(ids.key(), Phase::Result(frame));
    }

    /// The platform has the result: what was said.
    pub(super) fn forget(&mut self, ids: &Ids) -> Option<String> {
        match self.phases.get(&ids.key()) {
            Some(Phase::Result(_)) => {}
            _ => return None,
        }
        self.over.insert(ids.key());
        match self.phases.remove(&ids.key()) {
            Some(Phase::Result(frame)) => Some(frame),
            _ => None,
        }
    }

    /// Nobody wants it any more.
    pub(super) fn cancel(&mut self, ids: &Ids) {
        if let Some(place) = self.waiting.iter().position(|waiting| waiting.key() == ids.key()) {
            self.waiting.remove(place);
            self.phases.remove(&ids.key());
            self.over.insert(ids.key());
            return;
        }
        match self.phases.get_mut(&ids.key()) {
            Some(Phase::Open { cancelled, .. }) => *cancelled = true,
            Some(Phase::Result(_)) => drop(self.forget(ids)),
            // it overtook its `taskRun`
            None => drop(self.over.insert(ids.key())),
        }
    }
}
