//! What goes wrong, and how often.

mod invocation;
mod ports;
mod sabotage;

use std::{fmt, str::FromStr, time::Duration};

pub(crate) use invocation::{Ended, Invocation};
pub(crate) use ports::faulty;
pub use sabotage::Sabotage;
pub(crate) use sabotage::{SWEEP, sabotaged};

/// How often what goes wrong, of 1, while faults are on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    /// A device crashes with a task in its hands: everything it has is lost.
    pub crash: f64,
    /// A message between device and platform, either way, never arrives.
    pub lost: f64,
    /// It arrives twice.
    pub doubled: f64,
    /// It arrives later than a lease is long.
    pub late: f64,
    /// A function is killed between any two of its calls of a port.
    pub killed: f64,
    /// A port's call takes place, and its answer is lost.
    pub unanswered: f64,
    /// A port's call does not take place.
    pub refused: f64,
    /// A batch of the feed comes again although it was handled.
    pub replayed: f64,
    /// The feed is held up.
    pub held_up: f64,
    /// A queue's message is delivered up to three times.
    pub redelivered: f64,
    /// A device answers twice, after the acknowledgement, or for another's task.
    pub odd: f64,
    /// How far a device's clock is off, either way.
    pub clock_off: Duration,
}

/// The names of the groups in which faults are asked for.
const GROUPS: [&str; 6] = ["devices", "network", "functions", "store", "feed", "queues"];

impl Faults {
    /// Nothing goes wrong.
    pub const NONE: Self = Self {
        crash: 0.0,
        lost: 0.0,
        doubled: 0.0,
        late: 0.0,
        killed: 0.0,
        unanswered: 0.0,
        refused: 0.0,
        replayed: 0.0,
        held_up: 0.0,
        redelivered: 0.0,
        odd: 0.0,
        clock_off: Duration::ZERO,
    };

    /// Everything does.
    pub const ALL: Self = Self {
        crash: 0.2,
        lost: 0.02,
        doubled: 0.01,
        late: 0.05,
        killed: 0.02,
        unanswered: 0.002,
        refused: 0.002,
        replayed: 0.1,
        held_up: 0.05,
        redelivered: 0.2,
        odd: 0.05,
        clock_off: Duration::from_secs(60),
    };
}

/// As they are asked for.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let often =
            [self.crash, self.lost, self.killed, self.unanswered, self.replayed, self.redelivered];
        let some = GROUPS.iter().zip(often).filter(|(_, often)| *often > 0.0);
        let some: Vec<&str> = some.map(|(group, _)| *group).collect();
        f.write_str(if some.is_empty() { "none".to_owned() } else { some.join(",") }.as_str())
    }
}

/// Groups, with commas between them; `all`, `none`.
impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut faults, all) = (Self::NONE, Self::ALL);
        for group in text.split(',').map(str::trim) {
            match group {
                "all" => faults = all,
                "none" => faults = Self::NONE,
                "devices" => {
                    (faults.crash, faults.odd) = (all.crash, all.odd);
                    faults.clock_off = all.clock_off;
                }
                "network" => {
                    (faults.lost, faults.doubled) = (all.lost, all.doubled);
                    faults.late = all.late;
                }
                "functions" => faults.killed = all.killed,
                "store" => {
                    (faults.unanswered, faults.refused) = (all.unanswered, all.refused);
                }
                "feed" => (faults.replayed, faults.held_up) = (all.replayed, all.held_up),
                "queues" => faults.redelivered = all.redelivered,
                other => {
                    let groups = GROUPS.join(", ");
                    return Err(format!("no faults `{other}`; there are all, none, {groups}"));
                }
            }
        }
        Ok(faults)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn all_groups_are_all_faults() {
        assert_eq!(GROUPS.join(",").parse(), Ok(Faults::ALL));
        for faults in ["none", "network", "devices,feed"] {
            assert_eq!(faults.parse::<Faults>().unwrap().to_string(), faults);
        }
        assert!("devices,weather".parse::<Faults>().is_err());
    }
}
