//! What happens to an agent, as lines of its log.

use protocol::socket::LogLevel;

use crate::report::Event;

/// An event as a line; `None` for work that goes well, of which there is much.
pub(crate) fn line(event: &Event) -> Option<(LogLevel, String)> {
    Some(match event {
        Event::TaskDone { .. } => return None,
        Event::Connected { device_id, resumed } => {
            let again = if *resumed { " again" } else { "" };
            (LogLevel::Info, format!("connected{again} as {device_id}"))
        }
        Event::Lost { reason, retry_in } => {
            let seconds = retry_in.as_secs_f64();
            (LogLevel::Warn, format!("no connection ({reason}); next try in {seconds:.1} s"))
        }
        Event::Renewed => (LogLevel::Info, "a fresh connection replaced the old one".to_owned()),
        Event::TaskFailed { task_id, code, message } => {
            (LogLevel::Error, format!("task {task_id} failed: {message} ({code})"))
        }
        Event::TaskDeclined { task_id, reason } => {
            (LogLevel::Info, format!("task {task_id} declined: {reason:?}"))
        }
        Event::ModelFetched { model_id, version, bytes, took_ms } => {
            let text = format!("fetched {model_id}@{version}, {bytes} bytes in {took_ms:.0} ms");
            (LogLevel::Info, text)
        }
        Event::Draining { reason } => (LogLevel::Info, format!("taking no new work ({reason})")),
        Event::Complaint { code, message } => {
            (LogLevel::Warn, format!("the platform complains: {message} ({code})"))
        }
    })
}
