//! What an agent tells about itself: a status to look at and events as they happen.

use std::time::Duration;

use protocol::socket::DeclineReason;
use tokio::sync::{broadcast, watch};

use crate::journal::{self, Journal};

/// How an agent is doing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// Its connection.
    pub connection: Connection,
    /// The platform's id of it, once known.
    pub device_id: Option<String>,
    /// Tasks that it runs at once.
    pub slots: u32,
    /// Tasks in its hands: running, waiting or fetching.
    pub in_hand: usize,
    /// Results that the platform has not acknowledged.
    pub unacknowledged: usize,
    /// Tasks that gave outputs.
    pub done: u64,
    /// Tasks that failed.
    pub failed: u64,
    /// Tasks that were not taken.
    pub declined: u64,
    /// Models in memory.
    pub models_loaded: usize,
    /// Bytes of models on disk.
    pub cached_bytes: u64,
    /// From receipt to result of the last task, in milliseconds.
    pub last_latency_ms: Option<f64>,
    /// It takes nothing new.
    pub draining: bool,
}

/// Whether an agent is connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connection {
    /// Reaching for the platform.
    #[default]
    Connecting,
    /// Welcomed.
    Online,
    /// Waiting before the next attempt.
    Waiting,
    /// The agent has ended.
    Closed,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The platform welcomed the device.
    Connected {
        /// The platform's id of it.
        device_id: String,
        /// Whether it offered to go on with the session of the connection before.
        resumed: bool,
    },
    /// There is no connection; work goes on.
    Lost {
        /// Why.
        reason: String,
        /// When it is tried again.
        retry_in: Duration,
    },
    /// A fresh connection replaced one that was getting old.
    Renewed,
    /// A task gave outputs.
    TaskDone {
        /// Its id.
        task_id: String,
        /// From receipt to result, in milliseconds.
        latency_ms: f64,
    },
    /// A task failed.
    TaskFailed {
        /// Its id.
        task_id: String,
        /// A short name.
        code: String,
        /// What happened.
        message: String,
    },
    /// A task was not taken.
    TaskDeclined {
        /// Its id.
        task_id: String,
        /// Why.
        reason: DeclineReason,
    },
    /// A model was fetched to the disk.
    ModelFetched {
        /// Its id.
        model_id: String,
        /// Its version.
        version: u32,
        /// Its size.
        bytes: u64,
        /// How long it took, in milliseconds.
        took_ms: f64,
    },
    /// Nothing new is taken any more.
    Draining {
        /// Why.
        reason: String,
    },
    /// The platform complained.
    Complaint {
        /// As in the REST API.
        code: String,
        /// What to change.
        message: String,
    },
}

/// Where status and events are sent from.
pub(crate) struct Report {
    status: watch::Sender<Status>,
    events: broadcast::Sender<Event>,
    journal: Journal,
}

impl Report {
    pub(crate) fn new(slots: u32, journal: Journal) -> Self {
        // A listener that falls behind by more loses the oldest; the agent never waits for one.
        let (events, _) = broadcast::channel(1024);
        Self { status: watch::Sender::new(Status { slots, ..Status::default() }), events, journal }
    }

    pub(crate) fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    pub(crate) fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Notes an event in the log and tells listeners.
    pub(crate) fn tell(&self, event: Event) {
        if let Some((level, text)) = journal::line(&event) {
            self.journal.note(level, &text);
        }
        // that nobody listens is no fault
        let _ = self.events.send(event);
    }

    /// The log.
    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Changes the status; listeners are woken only when it is different.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_if_modified(|status| {
            let before = status.clone();
            change(status);
            *status != before
        });
    }
}
