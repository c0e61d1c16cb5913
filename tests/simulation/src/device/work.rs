//! What a device does with its tasks: takes them or not, computes them some time, answers, and now and
//! then answers what nobody asked.

use std::time::Duration;

use protocol::socket::{DeclineReason, TaskAck, TaskCancel, TaskDeclined, TaskRun, encode, kind};

use super::{Device, Plan, compute::Died, desk::Ids};
use crate::platform::Line;

/// How often, of 1, a task takes much longer than it should, and how long then, in milliseconds.
const STUCK: f64 = 0.03;
const STUCK_MS: [u64; 2] = [5_000, 40_000];

/// How long after it took a task a device crashes at most, where it does, in milliseconds.
const CRASH_MS: u64 = 4_000;

/// How long after the acknowledgement a device that is odd answers again.
const AFTERWARDS: [Duration; 2] = [Duration::from_millis(10), Duration::from_secs(40)];

impl Device {
    pub(super) fn hear(&mut self, line: &Line, frame: &str) {
        match kind(frame).as_deref() {
            Some("taskRun") => {
                if let Ok(run) = serde_json::from_str(frame) {
                    self.take(line, run);
                }
            }
            Some("taskAck") => {
                if let Ok(TaskAck { task_id, fence, .. }) = serde_json::from_str(frame) {
                    let said = self.memory.desk.forget(&Ids { task_id, fence, attempt: 0 });
                    if let Some(frame) = said.filter(|_| self.is_odd()) {
                        let after =
                            self.platform.weather.dice.duration(AFTERWARDS[0], AFTERWARDS[1]);
                        self.plan(after, Plan::Say(frame));
                    }
                }
            }
            Some("taskCancel") => {
                if let Ok(TaskCancel { task_id, fence, .. }) = serde_json::from_str(frame) {
                    self.memory.desk.cancel(&Ids { task_id, fence, attempt: 0 });
                    self.start();
                }
            }
            _ => {}
        }
    }

    /// Whether the device misbehaves now.
    fn is_odd(&self) -> bool {
        self.platform.weather.dice.happens(self.platform.weather.faults().odd)
    }

    fn take(&mut self, line: &Line, run: TaskRun) {
        let ids =
            Ids { task_id: run.task_id.clone(), fence: run.fence.clone(), attempt: run.attempt };
        self.ledger.lock().attempts.push((run.task_id.clone(), run.fence.clone()));
        match self.memory.desk.known(&ids) {
            Some(Some(result)) => return line.say(result),
            Some(None) => return,
            None => {}
        }
        if !self.memory.desk.has_room(&run, self.traits.slots) {
            let declined = TaskDeclined {
                task_id: ids.task_id,
                attempt: ids.attempt,
                fence: ids.fence,
                reason: DeclineReason::Busy,
            };
            return line.say(encode(&declined));
        }
        if !self.memory.warm.contains(&run.model.checksum) {
            self.memory.warm.push(run.model.checksum.clone());
        }
        self.memory.desk.admit(ids, run);
        self.start();
        let (dice, crash) = (&self.platform.weather.dice, self.platform.weather.faults().crash);
        if dice.happens(crash) {
            let after = dice.below(CRASH_MS);
            self.plan(Duration::from_millis(after), Plan::Crash);
        }
    }

    /// Begins with what waits, where there is room.
    fn start(&mut self) {
        while let Some((ids, requests)) = self.memory.desk.start(self.traits.slots) {
            let dice = &self.platform.weather.dice;
            let stuck = if self.platform.weather.is_foul() { STUCK } else { 0.0 };
            let [low, high] = match requests {
                _ if dice.happens(stuck) => STUCK_MS,
                None => self.traits.pace.task_ms,
                Some(many) => self.traits.pace.piece_ms.map(|ms| ms * u64::from(many)),
            };
            let takes = Duration::from_millis(dice.between(low, high));
            self.plan(takes, Plan::Finish(ids));
        }
    }

    pub(super) fn finish(&mut self, line: &Line, ids: Ids) {
        let Some(run) = self.memory.desk.take_run(&ids) else {
            self.start();
            return;
        };
        let ids = Ids { attempt: run.attempt, ..ids };
        match self.compute(&run) {
            Ok(frame) => {
                self.memory.desk.finish(ids.clone(), frame.clone());
                if self.is_odd() {
                    self.misbehave(line, &ids, &frame);
                }
                line.say(frame);
            }
            Err(Died) => self.plan(Duration::ZERO, Plan::Crash),
        }
        self.start();
    }

    /// Answers twice, or for somebody else's task.
    fn misbehave(&self, line: &Line, ids: &Ids, frame: &str) {
        self.ledger.count("odd answers");
        let attempts = self.ledger.lock().attempts.clone();
        let dice = &self.platform.weather.dice;
        let Some((task, fence)) = dice.one(&attempts) else { return };
        let of = |task: &str, fence: &str| {
            let mut answer: serde_json::Value = serde_json::from_str(frame).unwrap_or_default();
            answer["task_id"] = task.into();
            answer["fence"] = fence.into();
            answer.to_string()
        };
        let said = match dice.below(3) {
            0 => frame.to_owned(),
            // its own fence, for a task of another's
            1 if *task != ids.task_id => of(task, &ids.fence),
            // another's fence, for its own task
            _ if *fence != ids.fence => of(&ids.task_id, fence),
            _ => return,
        };
        line.say(said);
    }
}
