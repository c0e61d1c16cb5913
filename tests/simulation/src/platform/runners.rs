//! What AWS does around functions: polls queues, reads the feed, fires timers; each at least as often
//! as it must, and by chance more often.

use std::{sync::Arc, time::Duration};

use api::{Entry, OnFeed, OnQueue, OnTimer, Route};
use futures::FutureExt;
use ports::Message;

use super::Platform;
use crate::faults::{SWEEP, Sabotage};

/// How long a received message is hidden: longer than any consumer runs.
const VISIBILITY: Duration = Duration::from_secs(90);

/// How long a receive or a read waits.
const WAIT: Duration = Duration::from_secs(20);

/// How many changes are folded at once at most.
const FEED_BATCH: u64 = 500;

/// Between two batches of the feed.
const FEED_WINDOW: Duration = Duration::from_millis(100);

/// After a failure, before the next try.
const PAUSE: Duration = Duration::from_secs(1);

/// How long the feed is held up at most, where it is.
const HELD_UP: Duration = Duration::from_secs(20);

/// How late a further delivery of a message may come.
const AGAIN: Duration = Duration::from_secs(30);

impl Platform {
    /// Starts everything that runs by itself; the timers fire this often.
    pub(crate) fn start(self: &Arc<Self>, period: Duration) {
        for route in self.routes.clone() {
            let platform = self.clone();
            match route.entry.clone() {
                Entry::Queue(queue, handler) => {
                    tokio::spawn(platform.consume(route, queue, handler));
                }
                Entry::Feed(handler) => drop(tokio::spawn(platform.follow(route, handler))),
                Entry::Timer(_, handler) => {
                    if self.sabotage != Some(Sabotage::Sweep) || route.name != SWEEP {
                        tokio::spawn(platform.tick(route, handler, period));
                    }
                }
                Entry::Http(_)
                | Entry::Connect(_)
                | Entry::Disconnect(_)
                | Entry::Message(..)
                | Entry::Call(_) => {}
            }
        }
    }

    async fn consume(self: Arc<Self>, route: Route, queue: &'static str, handler: OnQueue) {
        let ports = self.store.ports();
        loop {
            let Ok(messages) = ports.queues.receive(queue, 10, VISIBILITY, WAIT).await else {
                ports.clock.sleep(PAUSE).await;
                continue;
            };
            for message in messages {
                let faults = self.weather.faults();
                let again = if self.weather.dice.happens(faults.redelivered) { 2 } else { 0 };
                for copy in 0..=self.weather.dice.below(again + 1) {
                    let (platform, handler) = (self.clone(), handler.clone());
                    let (route, message) = (route.clone(), message.clone());
                    tokio::spawn(async move {
                        if copy > 0 {
                            let delay = platform.weather.dice.duration(Duration::ZERO, AGAIN);
                            platform.store.ports().clock.sleep(delay).await;
                        }
                        platform.deliver(&route, queue, &handler, message).await;
                    });
                }
            }
        }
    }

    /// One message, apart from the others of its batch.
    async fn deliver(&self, route: &Route, queue: &str, handler: &OnQueue, message: Message) {
        let Message { receipt, body, receives, .. } = message;
        let handled = self.invoke(route, |app| handler(app, body)).await;
        let queues = self.store.ports().queues;
        // a killed function says nothing: the message comes again when it is visible
        let _ = match handled {
            Some(Ok(())) => queues.delete(queue, &receipt).await,
            Some(Err(_)) => {
                queues.release(queue, &receipt, Duration::from_secs(receives.into())).await
            }
            None => return,
        };
    }

    async fn follow(self: Arc<Self>, route: Route, handler: OnFeed) {
        let ports = self.store.ports();
        loop {
            let dice = &self.weather.dice;
            let max = if self.weather.is_foul() { dice.between(1, FEED_BATCH) } else { FEED_BATCH };
            let read = ports.changes.read(route.name, max as usize, WAIT).await;
            let Ok(batch) = read else { continue };
            let Some(last) = batch.last().map(|change| change.place.clone()) else { continue };
            let folded = self.invoke(&route, |app| handler(app, batch).boxed()).await;
            let faults = self.weather.faults();
            let done = matches!(folded, Some(Ok(()))) && !dice.happens(faults.replayed);
            if done {
                let _ = ports.changes.checkpoint(route.name, &last).await;
            }
            let held_up = if dice.happens(faults.held_up) { HELD_UP } else { FEED_WINDOW };
            ports.clock.sleep(if done { held_up } else { PAUSE }).await;
        }
    }

    async fn tick(self: Arc<Self>, route: Route, handler: OnTimer, period: Duration) {
        loop {
            self.store.ports().clock.sleep(period).await;
            let _ = self.invoke(&route, |app| handler(app).boxed()).await;
        }
    }
}
