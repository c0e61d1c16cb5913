//! Waiting for one item to change: it is read again now and then. The first look comes when the change
//! usually has, so in half of all cases it is the only one; each pause after that is longer than the
//! one before it, so that in the median there are two looks at most. Only what takes long is looked at
//! every two seconds, however slow it usually is.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use clock::SystemClock;
use ports::{Clock, Item, Key, Records, Result, Token, Watch};
use tokio::time::Instant;

use crate::records::Table;

/// No look comes sooner than this after the one before it.
const SHORTEST: Duration = Duration::from_millis(10);

/// No pause is longer: somebody waits for what became of a slow job too.
const LONGEST: Duration = Duration::from_secs(2);

/// When to look at the item.
#[derive(Default)]
struct Looks {
    /// The next one; nothing before the first call.
    next: Option<Instant>,
    pause: Duration,
}

impl Looks {
    /// When to look next, for a change that usually takes so long.
    fn next(&mut self, now: Instant, usual: Duration) -> Instant {
        *self.next.get_or_insert_with(|| {
            self.pause = (usual / 2).clamp(SHORTEST, LONGEST);
            now + usual.clamp(SHORTEST, LONGEST)
        })
    }

    fn looked(&mut self, now: Instant) {
        self.next = Some(now + self.pause);
        self.pause = (self.pause * 2).min(LONGEST);
    }
}

/// A watch that reads the item.
pub(super) struct Polling {
    table: Arc<Table>,
    clock: Arc<SystemClock>,
    key: Key,
    /// As it was read last; nothing before the first time.
    seen: Option<Item>,
    looks: Looks,
}

impl Polling {
    pub(super) fn new(table: Arc<Table>, clock: Arc<SystemClock>, key: &Key) -> Self {
        Self { table, clock, key: key.clone(), seen: None, looks: Looks::default() }
    }

    /// The item as it is, if that is another than before.
    async fn look(&mut self) -> Result<Option<(Token, Item)>> {
        let found = self.table.get(&self.key).await?;
        if found == self.seen {
            return Ok(None);
        }
        self.seen.clone_from(&found);
        Ok(Some((self.table.token(), found.unwrap_or_default())))
    }
}

#[async_trait]
impl Watch for Polling {
    async fn changed(
        &mut self,
        patience: Duration,
        usual: Duration,
    ) -> Result<Option<(Token, Item)>> {
        let deadline = Instant::now() + patience;
        loop {
            let next = self.looks.next(Instant::now(), usual);
            let pause = next.min(deadline).saturating_duration_since(Instant::now());
            self.clock.sleep(pause).await;
            if next >= deadline {
                return Ok(None);
            }
            self.looks.looked(Instant::now());
            let found = self.look().await?;
            if found.is_some() {
                return Ok(found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many looks it takes to see a change after `ms`, and how long after it that is.
    fn looks(usual_ms: u64, ms: u64) -> (u32, Duration) {
        let (begin, usual) = (Instant::now(), Duration::from_millis(usual_ms));
        let change = begin + Duration::from_millis(ms);
        let (mut looks, mut now) = (Looks::default(), begin);
        for count in 1.. {
            now = looks.next(now, usual);
            if now >= change {
                return (count, now - change);
            }
            looks.looked(now);
        }
        unreachable!()
    }

    #[test]
    fn what_takes_as_long_as_usual_is_seen_by_one_look_and_half_as_long_again_by_two() {
        for usual in [10, 40, 300, 2000] {
            assert_eq!(looks(usual, usual), (1, Duration::ZERO));
            assert_eq!(looks(usual, usual / 2).0, 1);
            assert_eq!(looks(usual, usual + usual / 2).0, 2);
        }
    }

    #[test]
    fn pauses_grow_and_end_at_the_longest() {
        let (count, late) = looks(40, 10_000);
        assert!(count <= 14, "{count} looks");
        assert!(late <= LONGEST);
        assert_eq!(looks(60_000, 1_000), (1, Duration::from_secs(1)), "a slow one may be quick");
    }
}
