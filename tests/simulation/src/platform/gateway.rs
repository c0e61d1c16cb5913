//! The devices' socket and the network before it: connections open and close, and messages arrive late,
//! twice, out of order or not at all.

use std::{sync::Arc, time::Duration};

use api::{Connecting, Entry, Route, socket};
use futures::FutureExt;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{BASE, Platform, Shape};
use crate::{ledger::Ledger, store::Outbox};

/// How long a message travels when nothing is wrong.
const TRAVEL: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(40)];

/// How long one travels that is late: longer than a lease.
const LATE: [Duration; 2] = [Duration::from_secs(16), Duration::from_secs(60)];

/// How often, of 1, nobody is told that a connection closed, while things go wrong.
const UNNOTICED: f64 = 0.1;

/// How late one may be told.
const NOTICED: [Duration; 2] = [Duration::ZERO, Duration::from_secs(20)];

/// A device's end of a connection.
pub(crate) struct Line {
    id: String,
    /// The device's.
    uuid: Arc<str>,
    platform: Arc<Platform>,
    ledger: Arc<Ledger>,
    /// What the platform says; it ends when the connection does.
    pub(crate) inbox: UnboundedReceiver<String>,
}

impl Line {
    /// Connects with a key; `None` when that does not work now.
    pub(crate) async fn open(
        platform: &Arc<Platform>,
        ledger: &Arc<Ledger>,
        uuid: &Arc<str>,
        key: &str,
    ) -> Option<Self> {
        let (route, connect) = platform
            .entries(|entry| match entry {
                Entry::Connect(connect) => Some(connect.clone()),
                _ => None,
            })
            .pop()?;
        let id = platform.store.ports().clock.id("conn");
        let connecting =
            Connecting { connection: id.clone(), secret: key.to_owned(), base: BASE.to_owned() };
        platform.invoke(&route, |app| connect(app, connecting)).await?.ok()?;
        let (outbox, (sender, inbox)) = (platform.store.sockets().open(&id), unbounded_channel());
        let (platform, ledger, uuid) = (platform.clone(), ledger.clone(), uuid.clone());
        let line = Self {
            id: id.clone(),
            uuid: uuid.clone(),
            platform: platform.clone(),
            ledger: ledger.clone(),
            inbox,
        };
        tokio::spawn(pump(platform, ledger, uuid, id, outbox, sender));
        Some(line)
    }

    /// Says something, and does not wait for it to arrive.
    pub(crate) fn say(&self, frame: String) {
        for delay in journeys(&self.platform, &self.ledger, &self.uuid, &frame) {
            let (platform, ledger) = (self.platform.clone(), self.ledger.clone());
            let (id, uuid, frame) = (self.id.clone(), self.uuid.clone(), frame.clone());
            tokio::spawn(async move {
                platform.store.ports().clock.sleep(delay).await;
                if !hear(&platform, id, &frame).await {
                    ledger.harm(&uuid, &frame);
                }
            });
        }
    }
}

/// The connection closes when the device lets go of it.
impl Drop for Line {
    fn drop(&mut self) {
        self.platform.store.sockets().shut(&self.id);
    }
}

/// After how long each copy of a message arrives.
fn journeys(platform: &Platform, ledger: &Ledger, uuid: &str, frame: &str) -> Vec<Duration> {
    let (dice, faults) = (&platform.weather.dice, platform.weather.faults());
    if dice.happens(faults.lost) {
        ledger.harm(uuid, frame);
        return Vec::new();
    }
    let copies = if dice.happens(faults.doubled) { 2 } else { 1 };
    let journey = |_| {
        let [low, high] = if dice.happens(faults.late) {
            ledger.harm(uuid, frame);
            LATE
        } else {
            TRAVEL
        };
        dice.duration(low, high)
    };
    (0..copies).map(journey).collect()
}

/// A message arrives at the platform: to the function of its type. Whether that was done with it.
async fn hear(platform: &Platform, id: String, frame: &str) -> bool {
    if !platform.store.sockets().touch(&id) {
        return false;
    }
    let kind = protocol::socket::kind(frame).unwrap_or_default();
    let find = |wanted: &str| {
        platform.routes.iter().find_map(|route| match &route.entry {
            Entry::Message(kind, handler) if *kind == wanted => Some((route, handler.clone())),
            _ => None,
        })
    };
    let Some((route, handler)) = find(&kind).or_else(|| find(socket::UNKNOWN)) else {
        return false;
    };
    let frame = frame.to_owned();
    let work =
        |app| async move { socket::receive(&app, &handler, &id, frame).await.is_ok() }.boxed();
    platform.invoke(route, work).await == Some(true)
}

/// Brings what the platform says to the device, until the connection ends.
async fn pump(
    platform: Arc<Platform>,
    ledger: Arc<Ledger>,
    uuid: Arc<str>,
    id: String,
    mut outbox: Outbox,
    sender: UnboundedSender<String>,
) {
    while let Some(frame) = outbox.recv().await {
        for delay in journeys(&platform, &ledger, &uuid, &frame) {
            let (clock, sender, frame) =
                (platform.store.ports().clock, sender.clone(), frame.clone());
            let (ledger, uuid) = (ledger.clone(), uuid.clone());
            tokio::spawn(async move {
                clock.sleep(delay).await;
                if let Err(unheard) = sender.send(frame) {
                    ledger.harm(&uuid, &unheard.0);
                }
            });
        }
    }
    drop(sender);
    close(&platform, id).await;
}

/// A connection ended: who noted its device is told, as a rule.
async fn close(platform: &Platform, id: String) {
    let dice = &platform.weather.dice;
    if platform.weather.is_foul() {
        if dice.happens(UNNOTICED) {
            return;
        }
        platform.store.ports().clock.sleep(dice.duration(NOTICED[0], NOTICED[1])).await;
    }
    let disconnect: Vec<(Route, api::OnDisconnect)> = platform.entries(|entry| match entry {
        Entry::Disconnect(disconnect) => Some(disconnect.clone()),
        _ => None,
    });
    for (route, disconnect) in disconnect {
        // a process that is killed tells nobody; a function that fails is not run again
        let id = id.clone();
        let _ = platform.invoke(&route, |app| disconnect(app, id)).await;
    }
}

impl Shape {
    /// As it is shown.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Functions => "functions",
            Self::Process => "process",
        }
    }
}
