//! A device's recent log, for its owner: asked for over the socket, answered into a record. Whoever
//! asked waits for that record to change, in this process or another; who comes later reads it.

use std::{collections::BTreeMap, time::Duration};

use domain::{device::Device, name};
use ports::{Condition, Error as PortError};
use protocol::{
    rest::devices as rest,
    socket::{self, LogFilter, LogLine, Logs, LogsPull},
};
use serde::{Deserialize, Serialize};

use super::owned;
use crate::{App, Error, Result, sessions, sessions::Connection, table, time};

/// The most lines of one answer, and how many there are when nobody says.
const MAX_LINES: u32 = 1000;
const LINES: u32 = 100;

/// The most bytes of one answer, as JSON: all of it is one item.
const MAX_BYTES: usize = 256 * 1024;

/// The longest message of a line, in bytes; longer ones are cut.
const MAX_MESSAGE: usize = 4 * 1024;

/// The most messages that one answer may come in.
const MAX_PARTS: u32 = 64;

/// The longest that a caller waits: a gateway ends requests after 29 s.
const MAX_WAIT_MS: u64 = 25_000;

/// How long an answer takes as a rule.
const USUAL: Duration = Duration::from_millis(300);

/// How long an answer is kept.
const KEPT_SECONDS: u64 = 3600;

/// What is asked of a device.
#[derive(Clone, Debug, Default)]
pub struct Question<'a> {
    /// At most so many lines, 1 to 1000.
    pub lines: Option<u32>,
    /// `all`, or the least serious level.
    pub level: Option<&'a str>,
    /// How long the caller waits, in milliseconds; at most 25 s.
    pub timeout_ms: Option<u64>,
}

/// What became of a question.
pub enum Answer {
    /// The device has answered.
    Complete(rest::Logs),
    /// Not yet.
    Pending(rest::LogsPending),
}

/// A question and what came of it, as they are stored.
#[derive(Serialize, Deserialize)]
struct Asked {
    /// How many lines were asked for.
    lines: u32,
    level: LogFilter,
    /// Where it was asked.
    connection: String,
    /// The parts that came, by their number.
    #[serde(default)]
    parts: BTreeMap<u32, Vec<LogLine>>,
    /// The number of the last part, once it came.
    #[serde(default)]
    last: Option<u32>,
    /// Epoch second.
    expires_at: u64,
    version: u64,
}

/// Asks a device of the customer's own for its log and waits for the answer.
///
/// # Errors
/// `Forbidden` for somebody else's device, `Conflict` for one that is not connected.
pub async fn pull(
    app: &App,
    customer: &str,
    device: &str,
    question: Question<'_>,
) -> Result<Answer> {
    let lines = question.lines.unwrap_or(LINES);
    if !(1..=MAX_LINES).contains(&lines) {
        return Err(Error::invalid("lines", format!("expected 1 to {MAX_LINES}")));
    }
    let level = LogFilter::parse(question.level.unwrap_or("all")).ok_or_else(|| {
        let message = "expected `all`, or the least serious level: `trace`, `debug`, `info`, \
            `warn` or `error`";
        Error::invalid("level", message)
    })?;
    let device = owned(app, customer, device).await?;
    if !device.is_present() {
        return Err(offline());
    }
    let request_id = app.ports.clock.id("logs");
    let key = table::device_logs(&device.id, &request_id);
    let asked = Asked {
        lines,
        level,
        connection: device.connection.clone(),
        parts: BTreeMap::new(),
        last: None,
        expires_at: app.now_ms() / 1000 + KEPT_SECONDS,
        version: 1,
    };
    // before the first write, so that no change can be missed
    let mut watch = app.ports.changes.watch(&key);
    let records = &*app.ports.records;
    if table::store(records, key, &asked, Condition::Absent).await?.is_err() {
        return Err(Error::internal("two questions have the same id"));
    }
    let pull = LogsPull { request_id: request_id.clone(), lines, level };
    match app.ports.sockets.send(&device.connection, socket::encode(&pull)).await {
        Err(PortError::Gone) => {
            sessions::found_gone(app, &device.id, &device.connection).await?;
            return Err(offline());
        }
        sent => sent?,
    }
    let wait_ms = question.timeout_ms.unwrap_or(MAX_WAIT_MS).min(MAX_WAIT_MS);
    let until_ms = app.now_ms() + wait_ms;
    loop {
        let left = Duration::from_millis(until_ms.saturating_sub(app.now_ms()));
        let Some((_, item)) = watch.changed(left, USUAL).await? else {
            return Ok(pending(&device, request_id));
        };
        let asked: Asked = table::decode(item)?;
        if asked.is_complete() {
            return Ok(complete(&device, request_id, asked));
        }
    }
}

/// What became of a question that was asked before.
///
/// # Errors
/// `NotFound` for one that nobody asked within the hour, `Conflict` when the device left meanwhile.
pub async fn get(app: &App, customer: &str, device: &str, request_id: &str) -> Result<Answer> {
    let device = owned(app, customer, device).await?;
    let Some(asked) = find(app, &device.id, request_id).await? else {
        let message = format!(
            "there is no answer `{request_id}` of this device, or it is older than an hour; \
             GET /api/v1/devices/{}/logs asks again",
            device.id
        );
        return Err(Error::NotFound(message));
    };
    if asked.is_complete() {
        return Ok(complete(&device, request_id.to_owned(), asked));
    }
    if !device.is_present() || device.connection != asked.connection {
        let message = "the device left before it answered; ask again once it is connected";
        return Err(Error::Conflict(message.to_owned()));
    }
    Ok(pending(&device, request_id.to_owned()))
}

/// A device answers, or a part of its answer comes. What comes twice changes nothing.
///
/// # Errors
/// `Invalid` for what nobody asked for, and for more than was asked for.
pub async fn answered(app: &App, connection: &Connection, logs: Logs) -> Result<()> {
    let unasked = || {
        let message = "nobody waits for these lines; answer a `logsPull` with its `request_id`";
        Error::invalid("request_id", message)
    };
    let device = connection.device.as_deref().ok_or_else(unasked)?;
    let lines = checked(logs.lines)?;
    let records = &*app.ports.records;
    let key = table::device_logs(device, &logs.request_id);
    loop {
        let mut asked = find(app, device, &logs.request_id).await?.ok_or_else(unasked)?;
        let version = asked.version;
        if !asked.take(logs.part, logs.more, lines.clone())? {
            return Ok(());
        }
        let stored = table::store(records, key.clone(), &asked, Condition::Version(version));
        // another part may have come at the same moment
        if stored.await?.is_ok() {
            return Ok(());
        }
    }
}

async fn find(app: &App, device: &str, request_id: &str) -> Result<Option<Asked>> {
    if !name::is_id(request_id, "logs") {
        return Ok(None);
    }
    let key = table::device_logs(device, request_id);
    let found: Option<Asked> = table::load(&*app.ports.records, &key).await?;
    Ok(found.filter(|asked| app.now_ms() / 1000 < asked.expires_at))
}

/// Lines as they are kept: the times are times, and no message is too long.
fn checked(mut lines: Vec<LogLine>) -> Result<Vec<LogLine>> {
    for (index, line) in lines.iter_mut().enumerate() {
        line.time = time::rfc3339(time::parse(&line.time, &format!("lines[{index}].time"))?);
        let end = line.message.floor_char_boundary(MAX_MESSAGE);
        line.message.truncate(end);
    }
    Ok(lines)
}

impl Asked {
    /// Adds a part; whether it was new.
    fn take(&mut self, part: u32, more: bool, lines: Vec<LogLine>) -> Result<bool> {
        if self.is_complete() || self.parts.contains_key(&part) {
            return Ok(false);
        }
        let highest = self.parts.keys().next_back().copied().unwrap_or(0);
        let is_behind_the_end = self.last.is_some_and(|last| part > last || !more);
        if part >= MAX_PARTS || is_behind_the_end || !more && part < highest {
            let message =
                format!("expected 0 to {}, one of them the last", MAX_PARTS.saturating_sub(1));
            return Err(Error::invalid("part", message));
        }
        self.version += 1;
        if !more {
            self.last = Some(part);
        }
        self.parts.insert(part, lines);
        let all = || self.parts.values().flatten();
        let bytes: usize = all().map(|line| socket::encode(line).len()).sum();
        if all().count() > self.lines as usize || bytes > MAX_BYTES {
            let message = format!(
                "at most {} lines were asked for, and {} KB are taken",
                self.lines,
                MAX_BYTES >> 10
            );
            return Err(Error::invalid("lines", message));
        }
        Ok(true)
    }

    fn is_complete(&self) -> bool {
        self.last.is_some_and(|last| self.parts.len() as u64 == u64::from(last) + 1)
    }
}

fn offline() -> Error {
    let message = "the device is offline; its log can be read while it is connected";
    Error::Conflict(message.to_owned())
}

fn complete(device: &Device, request_id: String, asked: Asked) -> Answer {
    let level = asked.level;
    // not every device knows levels
    let lines = asked.parts.into_values().flatten().filter(|line| level.lets(line.level));
    Answer::Complete(rest::Logs {
        request_id,
        device_id: device.id.clone(),
        status: "complete".to_owned(),
        logs: lines.collect(),
    })
}

fn pending(device: &Device, request_id: String) -> Answer {
    Answer::Pending(rest::LogsPending {
        poll_url: format!("/api/v1/devices/{}/logs/{request_id}", device.id),
        request_id,
        device_id: device.id.clone(),
        status: "pending".to_owned(),
    })
}
