//! What a device shows of itself on standard error: a live line on a terminal, plain lines elsewhere.

use std::{io::IsTerminal, time::Duration};

use device::{Connection, Event, Status};
use indicatif::ProgressBar;
use tokio::{
    sync::{broadcast, watch},
    task::JoinHandle,
};

use crate::{output, progress};

/// Where nobody watches, the counts are told at most so often.
const PAUSE: Duration = Duration::from_secs(30);

/// Shows an agent until it ends.
pub(super) fn show(
    url: String,
    uuid: &str,
    status: watch::Receiver<Status>,
    events: broadcast::Receiver<Event>,
) -> JoinHandle<()> {
    let line = std::io::stderr().is_terminal().then(progress::spinner);
    let screen = Screen { url, line, told: Status::default() };
    screen.say(&format!("device {uuid}, connecting to {}", screen.url));
    tokio::spawn(screen.run(status, events))
}

struct Screen {
    url: String,
    /// Only on a terminal.
    line: Option<ProgressBar>,
    /// The status behind the last plain line.
    told: Status,
}

impl Screen {
    async fn run(
        mut self,
        mut status: watch::Receiver<Status>,
        mut events: broadcast::Receiver<Event>,
    ) {
        let mut pause = tokio::time::interval(PAUSE);
        loop {
            tokio::select! {
                biased;
                event = events.recv() => match event {
                    Ok(event) => self.tell(&event),
                    // what was missed is in the counts
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => break,
                },
                Ok(()) = status.changed() => {
                    let now = status.borrow_and_update();
                    if let Some(line) = &self.line {
                        line.set_message(summary(&now));
                    }
                    // a model that still computes is not waited for
                    if now.connection == Connection::Closed {
                        break;
                    }
                }
                _ = pause.tick(), if self.line.is_none() => {
                    let now = status.borrow().clone();
                    self.count(now);
                }
            }
        }
        if let Some(line) = self.line {
            line.finish_and_clear();
        }
    }

    fn tell(&self, event: &Event) {
        if let Some(text) = describe(event, &self.url) {
            self.say(&text);
        }
    }

    /// The counts as a line, when work was done since the last.
    fn count(&mut self, now: Status) {
        let all = |status: &Status| status.done + status.failed + status.declined;
        if all(&now) > all(&self.told) {
            self.say(&summary(&now));
            self.told = now;
        }
    }

    fn say(&self, text: &str) {
        match &self.line {
            Some(line) => line.suspend(|| output::say(text)),
            None => output::say(text),
        }
    }
}

/// Such as `online · 1 of 4 slots · 12 done, 0 failed · last 1.25 ms · 2 models, 29.41 kB on disk`.
fn summary(status: &Status) -> String {
    let connection = match (status.connection, status.draining) {
        (Connection::Connecting, _) => "connecting",
        (Connection::Online, false) => "online",
        (Connection::Online, true) => "draining",
        (Connection::Waiting, _) => "no connection",
        (Connection::Closed, _) => "ended",
    };
    let mut parts = vec![
        connection.to_owned(),
        format!("{} in hand, {}", status.in_hand, output::count(status.slots.into(), "slot")),
        format!("{} done, {} failed", status.done, status.failed),
    ];
    if status.declined > 0 {
        parts.push(format!("{} declined", status.declined));
    }
    if status.unacknowledged > 0 {
        parts.push(format!("{} to be acknowledged", status.unacknowledged));
    }
    if let Some(latency) = status.last_latency_ms {
        parts.push(format!("last {} ms", output::ms(latency)));
    }
    let models = output::count(status.models_loaded as u64, "model");
    parts.push(format!("{models} loaded, {} on disk", output::size(status.cached_bytes)));
    parts.join(" · ")
}

/// An event as a sentence; work that goes well is told by the counts alone.
fn describe(event: &Event, url: &str) -> Option<String> {
    Some(match event {
        Event::Connected { device_id, resumed: false } => {
            format!("connected to {url} as {device_id}; waiting for work, Ctrl-C ends")
        }
        Event::Connected { device_id, resumed: true } => {
            format!("connected again as {device_id}")
        }
        Event::Lost { reason, retry_in } => {
            format!("no connection ({reason}); next try in {:.1} s", retry_in.as_secs_f64())
        }
        Event::TaskFailed { task_id, code, message } => {
            format!("task {task_id} failed: {message} ({code})")
        }
        Event::TaskDeclined { task_id, reason } => format!("task {task_id} declined: {reason:?}"),
        Event::ModelFetched { model_id, version, bytes, took_ms } => {
            let (size, took) = (output::size(*bytes), output::ms(*took_ms));
            format!("fetched {model_id}@{version}, {size} in {took} ms")
        }
        Event::Draining { reason } => {
            format!("taking no new work ({reason}); Ctrl-C again leaves at once")
        }
        Event::Complaint { code, message } => format!("the platform complains: {message} ({code})"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_matters() {
        let status = Status {
            connection: Connection::Online,
            slots: 4,
            in_hand: 1,
            done: 12,
            models_loaded: 2,
            cached_bytes: 29_410,
            last_latency_ms: Some(1.25),
            ..Status::default()
        };
        let expected = "online · 1 in hand, 4 slots · 12 done, 0 failed · last 1.25 ms · 2 models loaded, 29.41 kB on disk";
        assert_eq!(summary(&status), expected);
        let waiting = Status { connection: Connection::Waiting, unacknowledged: 1, ..status };
        let line = summary(&waiting);
        assert!(
            line.starts_with("no connection") && line.contains("1 to be acknowledged"),
            "{line}"
        );
    }

    #[tokio::test]
    async fn it_ends_when_the_agent_has_although_a_worker_may_still_speak() {
        let (status, events) =
            (watch::Sender::new(Status::default()), broadcast::Sender::<Event>::new(8));
        let screen = show(String::new(), "", status.subscribe(), events.subscribe());
        status.send_modify(|status| status.connection = Connection::Closed);
        assert!(screen.await.is_ok());
    }

    #[test]
    fn events_are_sentences_and_good_work_is_quiet() {
        let done = Event::TaskDone { task_id: "t".into(), latency_ms: 1.0 };
        assert_eq!(describe(&done, ""), None);
        let lost = Event::Lost { reason: "refused".into(), retry_in: Duration::from_millis(450) };
        let expected = "no connection (refused); next try in 0.5 s";
        assert_eq!(describe(&lost, "").as_deref(), Some(expected));
    }
}
