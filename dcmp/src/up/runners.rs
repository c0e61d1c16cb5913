//! What AWS does around functions, on this machine: polls queues, reads the feed, fires timers,
//! and lets functions call each other.

use std::{sync::Arc, time::Duration};

use api::{Entry, OnFeed, OnQueue, OnTimer, Route};
use embedded::LocalFunctions;
use ports::Message;
use service::App;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Timers here run as often as this, so that nothing waits a cloud's minute.
const TIMER: Duration = Duration::from_secs(1);

/// How long a received message is hidden: longer than any consumer runs.
const VISIBILITY: Duration = Duration::from_secs(90);

/// How many changes are folded at once.
const FEED_BATCH: usize = 2_000;

/// Between two batches of the feed: changes that come together are written together.
const FEED_WINDOW: Duration = Duration::from_millis(100);

/// After a failure of the store, before the next try.
const PAUSE: Duration = Duration::from_secs(1);

/// Makes the functions that others call known.
pub(super) fn register_calls(app: &App, routes: &[Route], functions: &Arc<LocalFunctions>) {
    for route in routes {
        if let Entry::Call(handler) = &route.entry {
            let (app, handler) = (route.app(app), handler.clone());
            functions.register(route.name, route.timeout, move |payload| {
                let run = handler(app.clone(), payload);
                async move { run.await.map(Into::into).map_err(ports::Error::unavailable) }
            });
        }
    }
}

/// Tasks that run until told to stop, and then finish what they are at.
pub(super) struct Running(JoinSet<()>);

impl Running {
    /// Waits for all of them.
    pub(super) async fn finish(mut self) {
        while let Some(ended) = self.0.join_next().await {
            if let Err(cause) = ended {
                tracing::error!(%cause, "a background task ended badly");
            }
        }
    }
}

/// Starts a task for every queue, feed consumer and timer.
pub(super) fn start(app: &App, routes: &[Route], stop: &CancellationToken) -> Running {
    let mut tasks = JoinSet::new();
    for route in routes {
        let (app, name, stop) = (route.app(app), route.name, stop.clone());
        match &route.entry {
            Entry::Queue(queue, handler) => {
                tasks.spawn(consume(app, name, queue, handler.clone(), stop));
            }
            Entry::Feed(handler) => {
                tasks.spawn(follow(app, name, handler.clone(), stop));
            }
            Entry::Timer(_, handler) => {
                tasks.spawn(tick(app, name, handler.clone(), stop));
            }
            Entry::Http(_)
            | Entry::Connect(_)
            | Entry::Disconnect(_)
            | Entry::Message(..)
            | Entry::Call(_) => {}
        }
    }
    Running(tasks)
}

async fn consume(
    app: App,
    name: &'static str,
    queue: &'static str,
    handler: OnQueue,
    stop: CancellationToken,
) {
    let queues = app.ports.queues.clone();
    loop {
        let receive = queues.receive(queue, 10, VISIBILITY, Duration::from_secs(20));
        let messages = tokio::select! {
            messages = receive => messages,
            () = stop.cancelled() => return,
        };
        match messages {
            Ok(messages) => {
                let handled = messages
                    .into_iter()
                    .map(|message| handle(&app, name, queue, &handler, message));
                futures::future::join_all(handled).await;
            }
            Err(cause) => {
                tracing::error!(%cause, queue, "a queue cannot be read");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// One message, apart from the others of its batch: done, or to come again a little later.
async fn handle(app: &App, name: &str, queue: &str, handler: &OnQueue, message: Message) {
    let queues = &app.ports.queues;
    let settled = match handler(app.clone(), message.body).await {
        Ok(()) => queues.delete(queue, &message.receipt).await,
        Err(cause) => {
            tracing::warn!(%cause, function = name, message.id, message.receives, "a message failed");
            let delay = Duration::from_secs(u64::from(message.receives));
            queues.release(queue, &message.receipt, delay).await
        }
    };
    if let Err(cause) = settled {
        tracing::error!(%cause, queue, "a message could not be settled; it will come again");
    }
}

async fn follow(app: App, name: &'static str, handler: OnFeed, stop: CancellationToken) {
    let changes = app.ports.changes.clone();
    loop {
        let batch = tokio::select! {
            batch = changes.read(name, FEED_BATCH, Duration::from_secs(20)) => batch,
            () = stop.cancelled() => return,
        };
        let folded = match batch {
            Ok(batch) => fold(&app, name, &handler, batch).await,
            Err(cause) => Err(cause.into()),
        };
        let pause = match folded {
            Ok(full) if full => continue,
            Ok(_) => FEED_WINDOW,
            Err(cause) => {
                tracing::error!(%cause, function = name, "the feed is held up");
                PAUSE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Whether the batch was full, so that more is waiting.
async fn fold(
    app: &App,
    name: &str,
    handler: &OnFeed,
    batch: Vec<ports::Change>,
) -> service::Result<bool> {
    let Some(last) = batch.last().map(|change| change.place.clone()) else { return Ok(false) };
    let full = batch.len() == FEED_BATCH;
    handler(app.clone(), batch).await?;
    app.ports.changes.checkpoint(name, &last).await?;
    Ok(full)
}

async fn tick(app: App, name: &'static str, handler: OnTimer, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(TIMER);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        if let Err(cause) = handler(app.clone()).await {
            tracing::error!(%cause, function = name, "a timer failed");
        }
    }
}
