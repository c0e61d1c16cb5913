//! One run of a function, which may be killed between any two of its calls of a port.

use std::{
    cell::RefCell,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use tokio::sync::Notify;

use super::Faults;
use crate::dice::Dice;

/// Up to how many calls a function makes before it is killed, where it is.
const LONGEST: u64 = 14;

thread_local! {
    /// What runs at this instant: a world has one thread.
    static CURRENT: RefCell<Option<Arc<Invocation>>> = const { RefCell::new(None) };
}

/// One run of a function.
#[derive(Default)]
pub(crate) struct Invocation {
    /// Its calls of ports so far, and before or after which one it is killed.
    calls: AtomicU32,
    fatal: Option<(u32, Moment)>,
    killed: AtomicBool,
    kill: Notify,
}

/// Whether a call that is fatal takes place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Before,
    After,
}

/// What came of a run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended<T> {
    /// It returned.
    Returned(T),
    /// It was killed.
    Killed,
}

impl<T> Ended<T> {
    /// What it returned.
    pub(crate) fn returned(self) -> Option<T> {
        match self {
            Self::Returned(value) => Some(value),
            Self::Killed => None,
        }
    }
}

impl Invocation {
    /// A run whose end is decided by chance.
    pub(crate) fn new(faults: &Faults, dice: &Dice) -> Arc<Self> {
        let fatal = dice.happens(faults.killed).then(|| {
            let moment = if dice.happens(0.5) { Moment::Before } else { Moment::After };
            (dice.between(1, LONGEST) as u32, moment)
        });
        Arc::new(Self { fatal, ..Self::default() })
    }

    /// What runs now, if it is a function.
    pub(super) fn current() -> Option<Arc<Self>> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Counts a call.
    pub(super) fn call(&self) -> u32 {
        self.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Kills the function if this is where it dies: then this never returns.
    pub(super) async fn survive(&self, call: u32, moment: Moment) {
        if self.fatal == Some((call, moment)) {
            self.kill();
            std::future::pending().await
        }
    }

    /// Ends it where it is.
    pub(crate) fn kill(&self) {
        self.killed.store(true, Ordering::Relaxed);
        self.kill.notify_one();
    }

    /// Runs `work` to its end or its death.
    pub(crate) fn run<T>(self: Arc<Self>, work: BoxFuture<'static, T>) -> Living<T> {
        let invocation = self.clone();
        let kill = Box::pin(async move { invocation.kill.notified().await });
        Living { invocation: self, work, kill }
    }
}

/// A function that runs.
pub(crate) struct Living<T> {
    invocation: Arc<Invocation>,
    work: BoxFuture<'static, T>,
    kill: BoxFuture<'static, ()>,
}

impl<T> Future for Living<T> {
    type Output = Ended<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Ended<T>> {
        let before = CURRENT.replace(Some(self.invocation.clone()));
        let polled = self.work.as_mut().poll(context);
        CURRENT.set(before);
        if let Poll::Ready(value) = polled {
            return Poll::Ready(Ended::Returned(value));
        }
        // woken by it, if it dies elsewhere
        let _ = self.kill.as_mut().poll(context);
        if self.invocation.killed.load(Ordering::Relaxed) {
            return Poll::Ready(Ended::Killed);
        }
        Poll::Pending
    }
}
