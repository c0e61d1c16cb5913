//! What an event makes of a job.

use super::{Attempt, End, EndKind, Failure, Fence, Input, Job, State};
use crate::lease;

/// What happened, or is wanted.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A device is asked. Lost attempts are taken over by it; working ones go on beside it (a hedge).
    Assign(Attempt),
    /// The device was full, or could not be reached.
    Declined {
        /// Of the attempt.
        fence: Fence,
        /// A sentence for people.
        reason: String,
    },
    /// The device does not take such work now.
    Refused {
        /// Of the attempt.
        fence: Fence,
        /// A sentence for people.
        reason: String,
    },
    /// The attempt did not work.
    Failed {
        /// Of the attempt.
        fence: Fence,
        /// Why.
        failure: Failure,
        /// Whether another device may succeed.
        retryable: bool,
    },
    /// The device went away with it.
    Lost {
        /// Of the attempt.
        fence: Fence,
        /// A sentence for people.
        reason: String,
    },
    /// The call that submitted it stops waiting: from now on the job goes on without it.
    LetGo(Input),
    /// The job cannot be done at all.
    Abandon(Failure),
    /// Its owner does not want it any more.
    Cancel,
    /// Its deadline passed.
    Expire,
}

/// The new state, and which attempts are now worked on for nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The job as it is to be stored, its version raised by 1.
    pub job: Job,
    /// Attempts whose devices are to be told to stop.
    pub stop: Vec<Attempt>,
}

/// Why an event changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The job is over.
    #[error("the job has ended")]
    Ended,
    /// The attempt was replaced, or never was.
    #[error("the attempt's fence is not live")]
    Stale,
    /// The event was applied before.
    #[error("the attempt was already known to have ended")]
    Repeated,
    /// No more devices may be asked.
    #[error("the job has used up its attempts")]
    Exhausted,
    /// The deadline has not passed.
    #[error("the job's deadline has not passed")]
    Early,
}

/// How many attempts a job remembers before it forgets the older ones of those that were not taken.
const MAX_REMEMBERED: usize = 16;

impl Job {
    /// What `event` makes of the job at `now_us`; pure.
    ///
    /// # Errors
    /// When the event changes nothing.
    pub fn decide(
        &self,
        event: Event,
        now_us: u64,
        settings: &lease::Settings,
    ) -> Result<Decision, Refusal> {
        if self.state.is_terminal() {
            return Err(Refusal::Ended);
        }
        let mut job = self.clone();
        job.version += 1;
        match event {
            Event::Assign(attempt) => job.assign(attempt, settings)?,
            Event::Declined { fence, reason } => {
                job.not_taken(&fence, End { at_us: now_us, kind: EndKind::Declined, reason })?;
            }
            Event::Refused { fence, reason } => {
                job.not_taken(&fence, End { at_us: now_us, kind: EndKind::Refused, reason })?;
            }
            Event::Failed { fence, failure, retryable } => {
                let reason = failure.message.clone();
                job.end(&fence, End { at_us: now_us, kind: EndKind::Failed, reason })?;
                job.fences.remove(&fence);
                let others = job.working().next().is_some();
                if !others && (!retryable || !job.may_try(settings)) {
                    return Ok(job.finish_without(State::Failed, Some(failure), now_us));
                }
            }
            Event::Lost { fence, reason } => {
                job.end(
                    &fence,
                    End { at_us: now_us, kind: EndKind::Lost, reason: reason.clone() },
                )?;
                if job.working().next().is_none() && !job.may_try(settings) {
                    let message = format!("every attempt was lost; the last: {reason}");
                    let failure = Failure { code: "DEVICE_LOST".to_owned(), message };
                    return Ok(job.finish_without(State::Failed, Some(failure), now_us));
                }
            }
            Event::LetGo(input) => {
                job.input = input;
                job.attended_until_us = now_us;
                job.accepted_as = Some(job.state);
            }
            Event::Abandon(failure) => {
                return Ok(job.finish_without(State::Failed, Some(failure), now_us));
            }
            Event::Cancel => return Ok(job.finish_without(State::Cancelled, None, now_us)),
            Event::Expire if now_us < self.deadline_us => return Err(Refusal::Early),
            Event::Expire => return Ok(job.expire(now_us)),
        }
        job.state = if job.working().next().is_some() { State::Running } else { State::Queued };
        Ok(Decision { job, stop: Vec::new() })
    }

    fn assign(&mut self, attempt: Attempt, settings: &lease::Settings) -> Result<(), Refusal> {
        if !self.may_try(settings) {
            return Err(Refusal::Exhausted);
        }
        if self.attempts.len() >= MAX_REMEMBERED {
            self.forget_declined();
        }
        let attempts = &self.attempts;
        self.fences.retain(|_, index| attempts.get(*index).is_some_and(|a| a.end.is_none()));
        self.fences.insert(attempt.fence.clone(), self.attempts.len());
        self.attempts.push(attempt);
        Ok(())
    }

    /// Attempts that were not taken count for nothing; the oldest of them are forgotten, so that the
    /// item stays small.
    fn forget_declined(&mut self) {
        let mut spare = self.attempts.len() - MAX_REMEMBERED / 2;
        self.attempts.retain(|attempt| {
            let goes = spare > 0 && attempt.end.as_ref().is_some_and(|end| !end.was_tried());
            spare -= usize::from(goes);
            !goes
        });
        for (fence, index) in &mut self.fences {
            // a live fence always has its attempt: not taking one removes its fence
            if let Some(found) = self.attempts.iter().position(|attempt| attempt.fence == *fence) {
                *index = found;
            }
        }
    }

    /// A device did not take an attempt: nothing more can come of it.
    fn not_taken(&mut self, fence: &str, end: End) -> Result<(), Refusal> {
        self.end(fence, end)?;
        self.fences.remove(fence);
        Ok(())
    }

    /// Notes how a live attempt ended.
    fn end(&mut self, fence: &str, end: End) -> Result<(), Refusal> {
        let index = *self.fences.get(fence).ok_or(Refusal::Stale)?;
        let attempt = self.attempts.get_mut(index).ok_or(Refusal::Stale)?;
        if attempt.end.is_some() {
            return Err(Refusal::Repeated);
        }
        attempt.end = Some(end);
        Ok(())
    }

    fn expire(self, now_us: u64) -> Decision {
        let last = self.attempts.iter().rev().find_map(|attempt| attempt.end.as_ref());
        let message = match (last, self.attempts.is_empty()) {
            (Some(end), _) => format!("the deadline passed; before that: {}", end.reason),
            (None, true) => "the deadline passed before a device was free".to_owned(),
            (None, false) => "the deadline passed while a device worked on it".to_owned(),
        };
        let failure = Failure { code: "DEADLINE_EXCEEDED".to_owned(), message };
        self.finish_without(State::TimedOut, Some(failure), now_us)
    }

    fn finish_without(mut self, state: State, failure: Option<Failure>, now_us: u64) -> Decision {
        let stop = self.working().cloned().collect();
        self.fences.clear();
        self.state = state;
        self.failure = failure;
        self.ended_us = Some(now_us);
        Decision { job: self, stop }
    }
}
