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

/// A watch that reads the item.
pub(super) struct Polling {
    table: Arc<Table>,
    clock: Arc<SystemClock>,
    key: Key,
    /// As it was read last; nothing before the first time.
    seen: Option<Item>,
    /// When to look, and the pause after that.
    next: Option<(Instant, Duration)>,
}

impl Polling {
    pub(super) fn new(table: Arc<Table>, clock: Arc<SystemClock>, key: &Key) -> Self {
        Self { table, clock, key: key.clone(), seen: None, next: None }
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
            let pause = (usual / 2).clamp(SHORTEST, LONGEST);
            let (at, pause) =
                self.next.unwrap_or((Instant::now() + usual.clamp(SHORTEST, LONGEST), pause));
            self.next = Some((at, pause));
            let until = at.min(deadline);
            self.clock.sleep(until.saturating_duration_since(Instant::now())).await;
            if at >= deadline {
                return Ok(None);
            }
            self.next = Some((Instant::now() + pause, (pause * 2).min(LONGEST)));
            let found = self.look().await?;
            if found.is_some() {
                return Ok(found);
            }
        }
    }
}
