//! Which changes a row has counted already: the last one of each shard of the feed.

use std::{collections::BTreeMap, sync::Arc};

use ports::{Place, Sequence};
use serde::{Deserialize, Serialize};

/// How long the mark of a shard is kept after its last change: the feed forgets changes after 24
/// hours, so none of them can come again then.
const KEPT_SECONDS: u64 = 25 * 60 * 60;

/// The last change that is counted, by shard.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Folded(BTreeMap<Arc<str>, Mark>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Mark {
    sequence: Sequence,
    /// When it was counted, as an epoch second.
    at: u64,
}

impl Folded {
    /// Whether the change at `place` is counted.
    pub(super) fn has(&self, place: &Place) -> bool {
        self.0.get(&place.shard).is_some_and(|mark| place.sequence <= mark.sequence)
    }

    /// Remembers that everything of the shard up to `place` is counted, and forgets shards of which
    /// nothing can come again.
    pub(super) fn add(&mut self, place: &Place, now: u64) {
        let mark = self.0.entry(place.shard.clone());
        let mark = mark.or_insert(Mark { sequence: place.sequence, at: now });
        mark.sequence = mark.sequence.max(place.sequence);
        mark.at = now;
        self.0.retain(|_, mark| mark.at + KEPT_SECONDS >= now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(shard: &str, sequence: u64) -> Place {
        Place { shard: shard.into(), sequence: sequence.into() }
    }

    #[test]
    fn shards_are_counted_apart() {
        let mut folded = Folded::default();
        folded.add(&place("a", 7), 0);
        assert!(folded.has(&place("a", 6)) && folded.has(&place("a", 7)));
        assert!(!folded.has(&place("a", 8)) && !folded.has(&place("b", 6)));
        folded.add(&place("a", 3), 0);
        assert!(folded.has(&place("a", 7)), "what came late took the mark back");
    }

    #[test]
    fn a_shard_is_forgotten_when_nothing_of_it_can_come_again() {
        let mut folded = Folded::default();
        folded.add(&place("old", 1), 0);
        folded.add(&place("new", 1), KEPT_SECONDS);
        assert!(folded.has(&place("old", 1)));
        folded.add(&place("new", 2), KEPT_SECONDS + 1);
        assert!(!folded.has(&place("old", 1)) && folded.has(&place("new", 2)));
    }
}
