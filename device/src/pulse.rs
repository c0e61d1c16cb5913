//! Signs of life on one connection: what the platform was told last, and when it was last heard.

use std::time::{Duration, Instant};

use protocol::socket::{Heartbeat, Metrics};

/// How a connection is doing.
pub(crate) struct Pulse {
    heard: Instant,
    /// Whether it has ever answered a ping: some gateways do not, and are not to be blamed for it.
    answers: bool,
    told_at: Instant,
    /// What the platform knows from here; `None` when it goes on with what an earlier connection said.
    told: Option<State>,
}

/// What a heartbeat says that the platform acts on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    /// Slots without work; none when nothing new is taken.
    pub slots_free: u32,
    /// Checksums of the models in memory.
    pub models: Vec<String>,
}

impl State {
    fn says_the_same(&self, other: &Self) -> bool {
        let sorted = |models: &[String]| {
            let mut models = models.to_vec();
            models.sort_unstable();
            models
        };
        self.slots_free == other.slots_free && sorted(&self.models) == sorted(&other.models)
    }
}

impl Pulse {
    /// Of a fresh connection, on which the device has said `hello`: if it was with a session to go on
    /// with, the platform keeps what it knew.
    pub(crate) fn new(slots: u32, resumed: bool) -> Self {
        let told = (!resumed).then(|| State { slots_free: slots, models: Vec::new() });
        Self { heard: Instant::now(), answers: false, told_at: Instant::now(), told }
    }

    /// Whether a device that does not work needs a heartbeat: when the platform knows something else
    /// of it, or has heard nothing for so long.
    pub(crate) fn is_due(&self, now: &State, idle_heartbeat: Duration) -> bool {
        !self.told.as_ref().is_some_and(|told| told.says_the_same(now))
            || self.told_at.elapsed() >= idle_heartbeat
    }

    /// Whether the platform may still believe that there are free slots.
    pub(crate) fn offers_slots(&self) -> bool {
        self.told.as_ref().is_none_or(|told| told.slots_free > 0)
    }

    /// A heartbeat goes out, with so many pieces of batches in hand.
    pub(crate) fn tell(&mut self, state: State, batches: usize, metrics: Metrics) -> Heartbeat {
        self.told_at = Instant::now();
        self.told = Some(state.clone());
        let State { slots_free, models } = state;
        Heartbeat { slots_free, batches: batches as u32, models, metrics }
    }

    /// Something came.
    pub(crate) fn hear(&mut self) {
        self.heard = Instant::now();
    }

    /// A ping was answered.
    pub(crate) fn answered(&mut self) {
        self.answers = true;
    }

    /// Whether a platform that used to answer has kept silent for so long.
    pub(crate) fn is_silent_for(&self, patience: Duration) -> bool {
        self.answers && self.heard.elapsed() > patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn state(slots_free: u32, models: &[&str]) -> State {
        State { slots_free, models: models.iter().map(|&model| model.to_owned()).collect() }
    }

    #[test]
    fn what_the_platform_knows_is_not_told_again() {
        let mut pulse = Pulse::new(4, false);
        assert!(!pulse.is_due(&state(4, &[]), LONG));
        assert!(pulse.is_due(&state(4, &[]), Duration::ZERO), "silent for too long");
        assert!(pulse.is_due(&state(3, &[]), LONG) && pulse.is_due(&state(4, &["a"]), LONG));
        pulse.tell(state(3, &["a", "b"]), 0, Metrics::default());
        assert!(!pulse.is_due(&state(3, &["b", "a"]), LONG), "the order of use is no news");
        assert!(pulse.is_due(&state(4, &["a", "b"]), LONG), "a slot is free again");
    }

    #[test]
    fn a_resumed_session_is_told_how_it_is_now() {
        let mut pulse = Pulse::new(4, true);
        assert!(pulse.is_due(&state(4, &[]), LONG) && pulse.offers_slots());
        pulse.tell(state(0, &[]), 0, Metrics::default());
        assert!(!pulse.is_due(&state(0, &[]), LONG) && !pulse.offers_slots());
    }
}
