//! Understanding what the platform says.

use protocol::socket::{Drain, Fault, LogsPull, TaskAck, TaskCancel, TaskRun, kind};
use serde::Deserialize;

use crate::{desk::Ids, report::Event, serve::Server, tasks::Task};

impl Server {
    /// Acts on one message; tasks that could run now are added to `ready`.
    pub(crate) fn hear(&self, text: &str, ready: &mut Vec<Task>) {
        let understood = match kind(text).as_deref() {
            Some("taskRun") => {
                self.hear_run(text, ready);
                Ok(())
            }
            Some("taskAck") => read(text, |TaskAck { task_id, fence, .. }| {
                self.desk.acknowledge(&ids(task_id, fence));
            }),
            Some("taskCancel") => read(text, |TaskCancel { task_id, fence, .. }| {
                self.desk.cancel(&ids(task_id, fence));
            }),
            Some("drain") => read(text, |Drain { reason }| self.drain(&reason)),
            Some("logsPull") => read(text, |pull: LogsPull| {
                self.desk.say(self.report.journal().answer(&pull));
            }),
            Some("error") => read(text, |Fault { code, message }| {
                self.report.tell(Event::Complaint { code, message });
            }),
            other => {
                tracing::debug!(message.kind = other, "a message of an unknown type");
                Ok(())
            }
        };
        if let Err(error) = understood {
            tracing::warn!(%error, "the platform sent a message that cannot be read");
        }
    }

    fn hear_run(&self, text: &str, ready: &mut Vec<Task>) {
        #[derive(Deserialize)]
        struct Known {
            task_id: String,
            #[serde(default)]
            attempt: u32,
            fence: String,
        }
        match serde_json::from_str::<TaskRun>(text) {
            Ok(run) => self.intake.take(run, ready),
            Err(cause) => match serde_json::from_str(text) {
                Ok(Known { task_id, attempt, fence }) => {
                    self.intake.unreadable(&Ids { task_id, attempt, fence }, &cause.to_string());
                }
                Err(error) => tracing::warn!(%error, "the platform sent a taskRun without ids"),
            },
        }
    }
}

fn ids(task_id: String, fence: String) -> Ids {
    Ids { task_id, attempt: 0, fence }
}

fn read<'a, T: Deserialize<'a>>(text: &'a str, act: impl FnOnce(T)) -> serde_json::Result<()> {
    serde_json::from_str(text).map(act)
}
