//! Simulated time: it stands while anything can happen at it, and then goes to the next moment that
//! somebody waits for. Nobody ever waits for real.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use async_trait::async_trait;
use ports::Clock;

use crate::dice::Dice;

/// When every world begins: 2026-01-01T00:00:00Z, in epoch microseconds.
const BEGINNING_US: u64 = 1_767_225_600_000_000;

/// The clock of one world.
pub struct SimClock {
    dice: Arc<Dice>,
    moments: Mutex<Moments>,
}

struct Moments {
    now_us: u64,
    /// Who waits, by when and, for the same moment, by chance.
    waiting: BTreeMap<(u64, u64), Waker>,
}

impl SimClock {
    /// A clock at the beginning.
    pub fn new(dice: Arc<Dice>) -> Arc<Self> {
        let moments = Moments { now_us: BEGINNING_US, waiting: BTreeMap::new() };
        Arc::new(Self { dice, moments: Mutex::new(moments) })
    }

    /// Since the beginning.
    pub fn elapsed(&self) -> Duration {
        Duration::from_micros(self.lock().now_us - BEGINNING_US)
    }

    /// Runs `world` to its end: whenever nothing can go on, time does.
    ///
    /// # Errors
    /// When the runtime cannot be made, or the world panicked.
    pub fn run<W>(self: &Arc<Self>, world: W) -> anyhow::Result<W::Output>
    where
        W: Future + Send + 'static,
        W::Output: Send + 'static,
    {
        let clock = self.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .on_thread_park(move || clock.advance())
            .build()?;
        // as a task: the runtime goes idle once before it looks at the future that it blocks on
        runtime.block_on(async { Ok(tokio::spawn(world).await?) })
    }

    /// Goes to the next moment that somebody waits for.
    fn advance(&self) {
        let mut moments = self.lock();
        if let Some(((at_us, _), waker)) = moments.waiting.pop_first() {
            moments.now_us = moments.now_us.max(at_us);
            drop(moments);
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Moments> {
        self.moments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Clock for SimClock {
    fn now_us(&self) -> u64 {
        self.lock().now_us
    }

    fn id(&self, prefix: &str) -> String {
        let mut random = [0; 10];
        self.dice.fill(&mut random);
        let uuid = uuid::Builder::from_unix_timestamp_millis(self.now_ms(), &random).into_uuid();
        format!("{prefix}_{}", uuid.simple())
    }

    fn random(&self, bytes: &mut [u8]) {
        self.dice.fill(bytes);
    }

    async fn sleep(&self, duration: Duration) {
        let until_us = self.now_us().saturating_add(duration.as_micros() as u64);
        // others of the same moment come before or after, by chance
        Sleep { clock: self, place: (until_us, self.dice.next()), waits: false }.await;
    }
}

struct Sleep<'a> {
    clock: &'a SimClock,
    place: (u64, u64),
    waits: bool,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut moments = self.clock.lock();
        if self.waits && !moments.waiting.contains_key(&self.place) {
            return Poll::Ready(());
        }
        moments.waiting.insert(self.place, context.waker().clone());
        drop(moments);
        self.waits = true;
        Poll::Pending
    }
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        if self.waits {
            self.clock.lock().waiting.remove(&self.place);
        }
    }
}

/// What `work` comes to, unless `patience` runs out first.
pub(crate) async fn within<F: Future>(
    clock: &dyn Clock,
    patience: Duration,
    work: F,
) -> Option<F::Output> {
    let timer = clock.sleep(patience);
    futures::pin_mut!(work, timer);
    match futures::future::select(work, timer).await {
        futures::future::Either::Left((done, _)) => Some(done),
        futures::future::Either::Right(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn clock(seed: u64) -> Arc<SimClock> {
        SimClock::new(Arc::new(Dice::new(seed)))
    }

    #[test]
    fn a_year_passes_at_once_and_in_order() {
        let clock = clock(1);
        let year = Duration::from_secs(365 * 24 * 3600);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (heard, time) = (seen.clone(), clock.clone());
        clock
            .run(async move {
                let sleeper = |days: u32| {
                    let (time, heard) = (time.clone(), heard.clone());
                    tokio::spawn(async move {
                        time.sleep(year / 365 * days).await;
                        heard.lock().unwrap().push((days, time.elapsed()));
                    })
                };
                let sleepers = [sleeper(365), sleeper(3), sleeper(20)];
                futures::future::join_all(sleepers).await;
            })
            .unwrap();
        let expected: Vec<_> = [3, 20, 365].map(|days| (days, year / 365 * days)).into();
        assert_eq!(*seen.lock().unwrap(), expected);
    }

    #[test]
    fn what_is_not_waited_for_any_more_takes_no_time() {
        let clock = clock(1);
        let time = clock.clone();
        clock
            .run(async move {
                let patience = Duration::from_secs(3600);
                let done = within(&*time, patience, time.sleep(Duration::from_secs(1))).await;
                assert!(done.is_some());
                let done = within(&*time, Duration::from_secs(2), time.sleep(patience)).await;
                assert!(done.is_none());
            })
            .unwrap();
        assert_eq!(clock.elapsed(), Duration::from_secs(3));
        assert!(clock.lock().waiting.is_empty());
    }

    #[test]
    fn the_order_within_one_moment_follows_from_the_seed() {
        let order = |seed| {
            let clock = clock(seed);
            let time = clock.clone();
            let order = clock.run(async move {
                let order = Arc::new(Mutex::new(Vec::new()));
                let sleepers = (0..20).map(|number| {
                    let (time, order) = (time.clone(), order.clone());
                    tokio::spawn(async move {
                        time.sleep(Duration::from_secs(1)).await;
                        order.lock().unwrap().push(number);
                    })
                });
                futures::future::join_all(sleepers).await;
                order.lock().unwrap().clone()
            });
            order.unwrap()
        };
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }
}
