//! The agent's recent log, for its owner to read from afar: the last lines in bounded memory, without
//! the secrets that passed by.

mod event;
mod layer;
mod redact;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use protocol::socket::{LogLevel, LogLine, Logs, LogsPull, encode};
use secrecy::SecretString;

pub(crate) use event::line;

/// The most lines that are kept.
const MAX_LINES: usize = 1000;

/// The most bytes of messages that are kept.
const MAX_BYTES: usize = 256 * 1024;

/// The longest message, in bytes; longer ones are cut.
const MAX_MESSAGE: usize = 4 * 1024;

/// The most bytes of an answer, as JSON: the platform takes 256 KB.
const MAX_ANSWER: usize = 240 * 1024;

/// About how many bytes of lines go into one frame: gateways cut frames at 32 KB.
const PART: usize = 24 * 1024;

/// The last lines of an agent's log; clones are the same log. It is a layer for `tracing`, too.
#[derive(Clone, Default)]
pub struct Journal(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    lines: VecDeque<LogLine>,
    /// Of the messages together.
    bytes: usize,
    /// Never written down.
    secret: Option<SecretString>,
}

impl Journal {
    /// Keeps this out of all lines from now on, whatever it looks like. Keys and tokens that look like
    /// such are kept out anyhow.
    pub(crate) fn hide(&self, secret: SecretString) {
        self.lock().secret = Some(secret);
    }

    /// Adds a line; the oldest go when there is no room.
    pub(crate) fn note(&self, level: LogLevel, message: &str) {
        let time = format!("{:.3}", Timestamp::now());
        let mut kept = self.lock();
        let mut message = redact::clean(message, kept.secret.as_ref());
        message.truncate(message.floor_char_boundary(MAX_MESSAGE));
        kept.bytes += message.len();
        kept.lines.push_back(LogLine { time, level, message });
        while kept.lines.len() > MAX_LINES || kept.bytes > MAX_BYTES {
            let Some(oldest) = kept.lines.pop_front() else { return };
            kept.bytes -= oldest.message.len();
        }
    }

    /// The newest lines that are asked for, as frames in their order.
    pub(crate) fn answer(&self, pull: &LogsPull) -> Vec<String> {
        let (mut parts, mut part, mut size) = (Vec::new(), Vec::new(), 0);
        for line in self.newest(pull) {
            let length = encode(&line).len();
            if size + length > PART && !part.is_empty() {
                parts.push(std::mem::take(&mut part));
                size = 0;
            }
            size += length;
            part.push(line);
        }
        parts.push(part);
        let last = parts.len() - 1;
        let frame = |(number, lines)| {
            let (request_id, part) = (pull.request_id.clone(), number as u32);
            encode(&Logs { request_id, lines, part, more: number < last })
        };
        parts.into_iter().enumerate().map(frame).collect()
    }

    /// Oldest first.
    fn newest(&self, pull: &LogsPull) -> Vec<LogLine> {
        let kept = self.lock();
        let wanted = kept.lines.iter().rev().filter(|line| pull.level.lets(line.level));
        let mut room = MAX_ANSWER;
        let fitting = wanted.take(pull.lines as usize).take_while(|line| {
            let length = encode(line).len();
            let fits = length <= room;
            room = room.saturating_sub(length);
            fits
        });
        let mut lines: Vec<_> = fitting.cloned().collect();
        lines.reverse();
        lines
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // nothing that holds the lock can panic half-way through a change
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a journal holds is for its owner only.
impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use protocol::socket::LogFilter;

    use super::*;

    fn pull(lines: u32, level: &str) -> LogsPull {
        let level = LogFilter::parse(level).unwrap();
        LogsPull { request_id: "logs_1".to_owned(), lines, level }
    }

    fn answer(journal: &Journal, lines: u32, level: &str) -> Vec<Logs> {
        let frames = journal.answer(&pull(lines, level));
        frames.iter().map(|frame| serde_json::from_str(frame).unwrap()).collect()
    }

    fn messages(parts: &[Logs]) -> Vec<&str> {
        parts.iter().flat_map(|part| &part.lines).map(|line| line.message.as_str()).collect()
    }

    #[test]
    fn the_newest_lines_of_a_level_come_oldest_first() {
        let journal = Journal::default();
        let one = answer(&journal, 10, "all");
        assert_eq!((one.len(), one[0].lines.len(), one[0].more), (1, 0, false));
        for (level, text) in [
            (LogLevel::Info, "a"),
            (LogLevel::Warn, "b"),
            (LogLevel::Debug, "c"),
            (LogLevel::Error, "d"),
        ] {
            journal.note(level, text);
        }
        assert_eq!(messages(&answer(&journal, 10, "all")), ["a", "b", "c", "d"]);
        assert_eq!(messages(&answer(&journal, 2, "all")), ["c", "d"]);
        assert_eq!(messages(&answer(&journal, 10, "warn")), ["b", "d"]);
        assert_eq!(messages(&answer(&journal, 1, "info")), ["d"]);
    }

    #[test]
    fn memory_and_frames_are_bounded() {
        let journal = Journal::default();
        for number in 0..5_000 {
            journal.note(LogLevel::Info, &number.to_string());
        }
        let all = answer(&journal, 10_000, "all");
        assert_eq!(messages(&all).len(), MAX_LINES);
        assert_eq!(messages(&all)[0], "4000");
        // quotes take two bytes in JSON, and a cut goes between characters
        for _ in 0..2_000 {
            journal.note(LogLevel::Info, &"\"é".repeat(MAX_MESSAGE));
        }
        assert!(journal.lock().bytes <= MAX_BYTES);
        let frames = journal.answer(&pull(10_000, "all"));
        assert!(frames.len() > 1 && frames.iter().all(|frame| frame.len() <= 28 * 1024));
        assert!(frames.iter().map(String::len).sum::<usize>() <= MAX_BYTES);
        let parts = answer(&journal, 10_000, "all");
        let order: Vec<_> = parts.iter().map(|part| (part.part, part.more)).collect();
        let last = parts.len() as u32 - 1;
        assert_eq!(order, (0..=last).map(|n| (n, n < last)).collect::<Vec<_>>());
        let long = messages(&parts)[0];
        assert!(long.len() <= MAX_MESSAGE && long.len() > MAX_MESSAGE - 4);
    }

    #[test]
    fn a_key_without_a_form_is_kept_out() {
        let journal = Journal::default();
        journal.hide("any text will do".to_owned().into());
        journal.note(LogLevel::Info, "it was any text will do, sent");
        assert_eq!(messages(&answer(&journal, 1, "all")), ["it was …, sent"]);
    }
}
