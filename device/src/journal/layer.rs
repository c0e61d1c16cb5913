//! What the agent and its libraries log, into the journal.

use std::fmt::{self, Write};

use protocol::socket::LogLevel;
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use super::Journal;

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let level = match *event.metadata().level() {
            Level::ERROR => LogLevel::Error,
            Level::WARN => LogLevel::Warn,
            Level::INFO => LogLevel::Info,
            Level::DEBUG => LogLevel::Debug,
            Level::TRACE => LogLevel::Trace,
        };
        let mut text = Text { message: String::new(), fields: String::new() };
        event.record(&mut text);
        let target = event.metadata().target();
        self.note(level, &format!("{target}: {}{}", text.message, text.fields));
    }
}

/// The message, and `name=value` of every other field behind it.
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // writing to a text does not fail
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use protocol::socket::{LogFilter, LogsPull};
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn what_is_logged_is_in_the_journal() {
        let journal = Journal::default();
        let subscriber = tracing_subscriber::registry().with(journal.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(model.bytes = 3, token = "abc", "a model is odd");
        });
        let pull = LogsPull { request_id: "logs_1".to_owned(), lines: 9, level: LogFilter::All };
        let frames = journal.answer(&pull);
        let expected = "dcmp_device::journal::layer::tests: a model is odd model.bytes=3 token=…";
        assert!(frames[0].contains(expected) && frames[0].contains("warn"), "{frames:?}");
    }
}
