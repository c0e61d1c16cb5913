//! Working on one connection: messages in, results out, until it ends or is replaced.

mod goodbye;
mod wire;

use std::{
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{FutureExt, SinkExt, StreamExt};
use protocol::socket::encode;
use tokio::time::{
    Instant as Moment, Interval, MissedTickBehavior, interval_at, sleep_until, timeout,
};
use tokio_tungstenite::tungstenite::{Bytes, Error as SocketError, Message, Utf8Bytes};

use self::wire::{Break, send};
use crate::{
    chance,
    config::Timings,
    desk::Desk,
    link::{Introduction, Link, Refusal, Session, Socket},
    machine::Machine,
    pulse::{Pulse, State},
    report::{Event, Report},
    stop::Stop,
    tasks::{Intake, Task},
    worker,
};

/// Messages that are read before their answers are sent.
const MAX_DRAINED: usize = 256;

/// How long a device that is stopped at once tries to say so.
const MAX_PARTING: Duration = Duration::from_millis(500);

/// The status is shown at most this often.
const STATUS: Duration = Duration::from_millis(100);

/// How a connection ended.
pub(crate) enum Ending {
    /// It broke.
    Lost(String),
    /// A fresh one took its place.
    Renewed(Box<Link>),
    /// The agent has said goodbye.
    Left,
    /// The agent was stopped at once.
    Stopped,
}

/// What works on connections and outlives them.
pub(crate) struct Server {
    pub desk: Arc<Desk>,
    pub intake: Intake,
    pub introduction: Arc<Introduction>,
    pub session: Arc<Session>,
    pub report: Arc<Report>,
    pub machine: Machine,
    pub timings: Timings,
    pub stop: Stop,
    /// Since when nothing is left to do but to wait for acknowledgements.
    pub finished: Option<Instant>,
}

type Renewal = Pin<Box<dyn Future<Output = Result<Link, Refusal>> + Send>>;

impl Server {
    /// Works on `link` until it ends.
    pub(crate) async fn serve(&mut self, link: Link) -> Ending {
        let Link { mut socket, welcome, early, resumed } = link;
        self.desk.resend();
        let mut ready = Vec::new();
        early.iter().for_each(|text| self.hear(text, &mut ready));
        self.start(ready);
        let beat = Duration::from_millis(welcome.heartbeat_ms.max(10));
        let pulse = Pulse::new(self.desk.slots(), resumed);
        match self.work(&mut socket, beat, pulse).await {
            Ok(ending) => ending,
            Err(Break::Silent(reason)) => Ending::Lost(reason.to_owned()),
            Err(Break::Socket(SocketError::ConnectionClosed | SocketError::AlreadyClosed)) => {
                Ending::Lost("the platform closed the connection".to_owned())
            }
            Err(Break::Socket(error)) => Ending::Lost(error.to_string()),
        }
    }

    async fn work(
        &mut self,
        socket: &mut Socket,
        beat: Duration,
        mut pulse: Pulse,
    ) -> Result<Ending, Break> {
        let (desk, stop) = (self.desk.clone(), self.stop.clone());
        let mut beats = every(beat);
        let mut pings = every(self.timings.ping);
        let mut shows = every(STATUS);
        let renew = sleep_until(Moment::now() + chance::between(&self.timings.renewal));
        tokio::pin!(renew);
        let mut renewal: Option<Renewal> = None;
        let mut frames = Vec::new();
        let mut shown = false;
        self.show();
        loop {
            desk.outbox(&mut frames);
            send(socket, &mut frames).await?;
            if self.is_over() {
                self.leave(socket, "drained").await?;
                return Ok(Ending::Left);
            }
            let draining = desk.counts().draining;
            if draining && pulse.offers_slots() {
                self.beat(socket, &mut pulse).await?;
            }
            let patience = self.patience();
            tokio::select! {
                // What is rare goes first, so that a flood of messages cannot starve it.
                biased;
                () = stop.immediately() => {
                    // best effort: the platform notices the closed socket, too
                    let _ = timeout(MAX_PARTING, self.leave(socket, "stopped")).await;
                    return Ok(Ending::Stopped);
                }
                () = stop.draining(), if !draining => {
                    self.drain("asked to stop");
                    shown = false;
                }
                _ = beats.tick() => self.beat(socket, &mut pulse).await?,
                _ = pings.tick() => self.ping(socket, &pulse).await?,
                _ = shows.tick(), if !shown => {
                    self.show();
                    shown = true;
                }
                () = &mut renew, if renewal.is_none() => {
                    let (introduction, session) = (self.introduction.clone(), self.session.clone());
                    renewal = Some(Box::pin(async move { introduction.link(&session).await }));
                }
                link = attempt(&mut renewal) => {
                    renewal = None;
                    match link {
                        Ok(link) => {
                            self.replace(socket).await;
                            return Ok(Ending::Renewed(Box::new(link)));
                        }
                        // the old one still works
                        Err(refusal) => {
                            tracing::debug!(?refusal, "the connection could not be renewed");
                            renew.as_mut().reset(Moment::now() + self.timings.ping);
                        }
                    }
                }
                message = socket.next() => {
                    pulse.hear();
                    self.receive(socket, message, &mut pulse)?;
                    shown = false;
                }
                () = desk.news.notified() => shown = false,
                () = until(patience) => {}
            }
        }
    }

    /// Handles a message and all that came with it.
    fn receive(
        &self,
        socket: &mut Socket,
        first: Option<Result<Message, SocketError>>,
        pulse: &mut Pulse,
    ) -> Result<(), Break> {
        let mut ready = Vec::new();
        let mut next = Some(first);
        let mut outcome = Ok(());
        for _ in 0..MAX_DRAINED {
            match next {
                Some(Some(Ok(Message::Text(text)))) => self.hear(&text, &mut ready),
                Some(Some(Ok(Message::Pong(_)))) => pulse.answered(),
                Some(Some(Ok(Message::Close(_)) | Err(SocketError::ConnectionClosed)) | None) => {
                    outcome = Err(Break::Socket(SocketError::ConnectionClosed));
                    break;
                }
                Some(Some(Err(error))) => {
                    outcome = Err(error.into());
                    break;
                }
                Some(Some(Ok(_))) => {}
                None => break,
            }
            next = socket.next().now_or_never();
        }
        self.start(ready);
        outcome
    }

    /// Computes little work here and gives the rest to the workers.
    fn start(&self, ready: Vec<Task>) {
        if worker::is_little(&ready) && self.desk.is_nothing_waiting() {
            worker::run(&self.intake.results, ready);
        } else if !ready.is_empty() {
            self.desk.enqueue(ready);
        }
    }

    pub(crate) fn drain(&self, reason: &str) {
        if self.desk.drain() {
            self.report.tell(Event::Draining { reason: reason.to_owned() });
        }
    }

    /// Whether the agent has nothing left to do, or has waited long enough for the last acknowledgements.
    pub(crate) fn is_over(&mut self) -> bool {
        let counts = self.desk.counts();
        if !counts.draining || counts.in_hand() > 0 {
            self.finished = None;
            return false;
        }
        let since = *self.finished.get_or_insert_with(Instant::now);
        counts.unacknowledged == 0 || since.elapsed() >= self.timings.last_acks
    }

    /// Until when the last acknowledgements are waited for, once there is nothing else to do.
    pub(crate) fn patience(&self) -> Option<Moment> {
        self.finished.map(|since| Moment::from(since + self.timings.last_acks))
    }

    async fn beat(&mut self, socket: &mut Socket, pulse: &mut Pulse) -> Result<(), Break> {
        self.desk.expire(self.timings.keep_results);
        let state = State { slots_free: self.desk.slots_free(), models: self.intake.models.warm() };
        let counts = self.desk.counts();
        if counts.in_hand() > 0 || pulse.is_due(&state, self.timings.idle_heartbeat) {
            let heartbeat = pulse.tell(state, counts.batches, self.machine.metrics());
            send(socket, &mut vec![Utf8Bytes::from(encode(&heartbeat))]).await?;
        }
        Ok(())
    }

    async fn ping(&self, socket: &mut Socket, pulse: &Pulse) -> Result<(), Break> {
        if pulse.is_silent_for(self.timings.ping.mul_f64(2.5)) {
            return Err(Break::Silent("the platform does not answer any more"));
        }
        Ok(socket.send(Message::Ping(Bytes::new())).await?)
    }

    /// Shows listeners how things are.
    pub(crate) fn show(&self) {
        let counts = self.desk.counts();
        let (models_loaded, cached_bytes) =
            (self.intake.models.count(), self.intake.models.disk_bytes());
        self.report.update(|status| {
            status.in_hand = counts.in_hand();
            status.unacknowledged = counts.unacknowledged;
            status.done = counts.done;
            status.failed = counts.failed;
            status.declined = counts.declined;
            status.draining = counts.draining;
            status.last_latency_ms = counts.last_latency_ms;
            status.models_loaded = models_loaded;
            status.cached_bytes = cached_bytes;
        });
    }
}

/// Waits until then, or for ever.
pub(crate) async fn until(moment: Option<Moment>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

async fn attempt(renewal: &mut Option<Renewal>) -> Result<Link, Refusal> {
    match renewal {
        Some(renewal) => renewal.await,
        None => std::future::pending().await,
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = interval_at(Moment::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
