//! Group commit: everybody who waits for the disk shares one `fdatasync`.

use std::{
    path::Path,
    sync::{
        Condvar, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
};

use fjall::{Database, PersistMode};
use ports::{Error, Result};
use tokio::sync::oneshot;

use crate::{durability::Durability, journal::Journal, lock::Mutex};

/// Who waits for which commit.
#[derive(Default)]
struct Waiting {
    waiters: Vec<(u64, oneshot::Sender<bool>)>,
    stop: bool,
}

const OPEN: u8 = 0;
const CLOSED: u8 = 1;
const FAILED: u8 = 2;

/// Knows how far the log is committed and how far it is on disk, and brings the second to the first.
pub(crate) struct Syncer {
    durability: Durability,
    engine: Database,
    committed: AtomicU64,
    durable: AtomicU64,
    /// One of the constants below.
    state: AtomicU8,
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

impl Syncer {
    /// Starts with a log that is on disk up to `last`.
    pub(crate) fn new(durability: Durability, engine: Database, last: u64) -> Self {
        Self {
            durability,
            engine,
            committed: AtomicU64::new(last),
            durable: AtomicU64::new(last),
            state: AtomicU8::new(OPEN),
            waiting: Mutex::default(),
            wake: Condvar::new(),
        }
    }

    /// Everything up to `number` is in the engine's journal, on disk or not.
    pub(crate) fn committed(&self, number: u64) {
        self.committed.store(number, Ordering::Release);
    }

    /// An error once the store is closed or the disk failed: what is on it from then on is unknown.
    pub(crate) fn check(&self) -> Result<()> {
        match self.state.load(Ordering::Acquire) {
            OPEN => Ok(()),
            CLOSED => Err(Error::Unavailable("the store is closed".to_owned())),
            _ => Err(failed()),
        }
    }

    /// Returns when everything up to commit `number` survives what the durability promises.
    pub(crate) async fn durable(&self, number: u64) -> Result<()> {
        self.check()?;
        // A task that only writes and is never kept waiting must let others run all the same.
        tokio::task::consume_budget().await;
        let number = number.min(self.committed.load(Ordering::Acquire));
        if self.durable.load(Ordering::Acquire) >= number {
            return Ok(());
        }
        if self.durability == Durability::Process {
            return self.flush();
        }
        let (receiver, is_first) = {
            let mut waiting = self.waiting.lock();
            if waiting.stop {
                drop(waiting);
                return self.check();
            }
            let (sender, receiver) = oneshot::channel();
            let is_first = waiting.waiters.is_empty();
            waiting.waiters.push((number, sender));
            (receiver, is_first)
        };
        // Without the lock, or the syncer would wake only to wait for it. As long as anybody waits it
        // does not sleep, and a call to the operating system is saved.
        if is_first {
            self.wake.notify_one();
        }
        match receiver.await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(failed()),
        }
    }

    /// Hands everything committed to the operating system.
    pub(crate) fn flush(&self) -> Result<()> {
        let target = self.committed.load(Ordering::Acquire);
        match self.engine.persist(PersistMode::Buffer) {
            Ok(()) => {
                if self.durability == Durability::Process {
                    self.durable.fetch_max(target, Ordering::AcqRel);
                }
                Ok(())
            }
            Err(error) => Err(self.fail(&error)),
        }
    }

    /// Serves the waiters until `stop`; the body of the syncer's thread.
    pub(crate) fn run(&self, folder: &Path) {
        let mut journal = match Journal::find(folder) {
            Ok(journal) => journal,
            Err(error) => {
                self.fail(&error.into());
                return;
            }
        };
        loop {
            {
                let mut waiting = self.waiting.lock();
                while waiting.waiters.is_empty() {
                    if waiting.stop {
                        return;
                    }
                    waiting = self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                }
            }
            let target = self.committed.load(Ordering::Acquire);
            match journal.sync(&self.engine) {
                Ok(()) => self.durable.fetch_max(target, Ordering::AcqRel),
                Err(error) => {
                    self.fail(&error);
                    return;
                }
            };
            // Those who came while the disk was busy wait for the next round.
            let done: Vec<_> = self
                .waiting
                .lock()
                .waiters
                .extract_if(.., |(number, _)| *number <= target)
                .collect();
            for (_, waiter) in done {
                // A waiter that was dropped has nobody to tell.
                let _ = waiter.send(true);
            }
        }
    }

    /// Refuses all that comes later, and ends `run` once nobody waits any more.
    pub(crate) fn stop(&self) {
        let open = OPEN;
        // A failed store stays a failed one.
        let _ = self.state.compare_exchange(open, CLOSED, Ordering::AcqRel, Ordering::Acquire);
        self.waiting.lock().stop = true;
        self.wake.notify_one();
    }

    fn fail(&self, error: &fjall::Error) -> Error {
        tracing::error!(%error, "the disk failed; the store takes no more writes");
        self.state.store(FAILED, Ordering::Release);
        let mut waiting = self.waiting.lock();
        waiting.stop = true;
        for (_, waiter) in waiting.waiters.drain(..) {
            let _ = waiter.send(false);
        }
        failed()
    }
}

fn failed() -> Error {
    Error::Unavailable(
        "the disk of the data directory failed; check it, then start the platform again".to_owned(),
    )
}
