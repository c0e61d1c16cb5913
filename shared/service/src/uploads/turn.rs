//! Being at a complete file. Whoever is says so in the upload's row and again while it takes, so two
//! never are at once, and when one died another begins anew.

use std::time::Duration;

use ports::Key;

use super::{Row, commit};
use crate::{App, Error, Result};

/// The net under the queue: a complete file that nobody looks at is put there again after this.
pub(crate) const UNHEARD_MS: u64 = 60_000;

/// A file that was begun with so often, and never judged, is rejected: it may be what ends those who
/// look at it.
pub(crate) const MAX_TRIES: u32 = 5;

/// A file that could not be got at is left alone for so long, the first time; then twice as long each
/// time.
const PAUSE_MS: u64 = 20_000;

/// The longest of these times.
const MAX_PAUSE_MS: u64 = 10 * 60_000;

/// Somebody at it says so again after this.
const RENEW: Duration = Duration::from_millis(UNHEARD_MS / 3);

/// Why nothing is known of a file yet.
pub(crate) enum Failed {
    /// It could not be got at, which says nothing of the file.
    Getting(Error),
    /// It could not be looked into, which may be its fault.
    Looking(Error),
}

impl From<Error> for Failed {
    fn from(cause: Error) -> Self {
        Self::Getting(cause)
    }
}

/// Why a file is rejected that was begun with too often.
pub(crate) fn given_up() -> String {
    format!(
        "looking at the file failed {MAX_TRIES} times; it may need more memory or time than this \
         platform has"
    )
}

/// Looks at the complete file of an upload whose row is `row`, and says all the while that we are at
/// it. False when somebody else is, or took over.
pub(crate) async fn take_turn(
    app: &App,
    key: Key,
    row: Row,
    look: impl Future<Output = Result<(), Failed>>,
) -> Result<bool> {
    let begun = Row { tries: row.tries + 1, ..row.clone() };
    let mut turn = Turn { app, key, row };
    if !turn.claim(begun).await? {
        return Ok(false);
    }
    match turn.go(look).await {
        Ok(looked) => Ok(looked),
        Err(failed) => {
            turn.release(&failed).await?;
            let (Failed::Getting(cause) | Failed::Looking(cause)) = failed;
            Err(cause)
        }
    }
}

/// A file that we are at.
struct Turn<'a> {
    app: &'a App,
    key: Key,
    /// As we left it.
    row: Row,
}

impl Turn<'_> {
    async fn go(&mut self, look: impl Future<Output = Result<(), Failed>>) -> Result<bool, Failed> {
        let mut looking = std::pin::pin!(look);
        loop {
            tokio::select! {
                looked = &mut looking => return looked.map(|()| true),
                () = self.app.ports.clock.sleep(RENEW) => {
                    if !self.claim(self.row.clone()).await? {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// Says that we are at it; false when somebody else is.
    async fn claim(&mut self, row: Row) -> Result<bool> {
        let until = self.app.now_ms() + UNHEARD_MS;
        let (row, writes) = Row { busy_until_ms: until, ..row }.change(&self.key, until)?;
        let claimed = commit(self.app, writes).await?;
        if claimed {
            self.row = row;
        }
        Ok(claimed)
    }

    /// Lets others try: at once when that counts as a try, else after a pause.
    async fn release(&self, failed: &Failed) -> Result<()> {
        let row = self.row.clone();
        let (released, due_ms) = match failed {
            Failed::Looking(_) => (Row { busy_until_ms: 0, ..row.clone() }, row.pending.due_ms),
            Failed::Getting(_) => {
                let pause = PAUSE_MS << row.failures.min(10);
                let until = self.app.now_ms() + pause.min(MAX_PAUSE_MS);
                let (tries, failures) = (row.tries.saturating_sub(1), row.failures + 1);
                (Row { tries, failures, busy_until_ms: until, ..row }, until)
            }
        };
        let (_, writes) = released.change(&self.key, due_ms)?;
        commit(self.app, writes).await.map(drop)
    }
}
