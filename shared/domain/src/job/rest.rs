//! How long a device that did not take a job is left alone, so that nobody asks in circles.

use super::{Attempt, EndKind, Job};

/// A caller waits: a full device is asked again after so long, then after twice as long, and so on.
const WAITING_US: [u64; 2] = [10_000, 1_000_000];

/// Nobody waits: the devices say when they have room, and this is only the net under that.
const UNATTENDED_US: [u64; 2] = [1_000_000, 60_000_000];

/// A device that takes no such work is left alone for longer than any caller waits.
const REFUSED_US: u64 = 60_000_000;

/// A device that is not to be asked again yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resting<'a> {
    /// `dev_…`
    pub device: &'a str,
    /// It refused; otherwise it was full.
    pub refused: bool,
    /// When it may be asked again.
    pub until_us: u64,
}

impl Job {
    /// The devices that are not to be asked again yet. The pause for full ones grows with every
    /// decline that the job remembers.
    pub fn resting(&self, now_us: u64) -> impl Iterator<Item = Resting<'_>> {
        let is_full = |attempt: &&Attempt| is(attempt, EndKind::Declined);
        let declines = self.attempts.iter().filter(is_full).count() as u32;
        let [first, longest] = if self.is_attended(now_us) { WAITING_US } else { UNATTENDED_US };
        let full_us = (first << declines.saturating_sub(1).min(16)).min(longest);
        self.attempts.iter().filter_map(move |attempt| {
            let refused = is(attempt, EndKind::Refused);
            let pause_us = if refused { REFUSED_US } else { full_us };
            let end = attempt.end.as_ref().filter(|end| !end.was_tried())?;
            let until_us = end.at_us + pause_us;
            let resting = Resting { device: &attempt.device, refused, until_us };
            (now_us < until_us).then_some(resting)
        })
    }
}

fn is(attempt: &Attempt, kind: EndKind) -> bool {
    attempt.end.as_ref().is_some_and(|end| end.kind == kind)
}
