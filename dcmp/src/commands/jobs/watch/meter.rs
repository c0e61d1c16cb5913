//! How far a job is: a bar on a terminal, a line for every tenth elsewhere.

use indicatif::ProgressBar;
use protocol::rest::batch::Batch;

use crate::{output, progress};

/// Parts of a batch that are worth a line.
const LINES: u64 = 10;

pub(super) struct Meter {
    bar: ProgressBar,
    /// What was shown last.
    shown: Option<(String, u64)>,
    /// How many lines were due for it.
    lines: u64,
}

impl Meter {
    /// Of a single inference, of which there is nothing to be counted.
    pub(super) fn single() -> Self {
        let bar = progress::spinner();
        bar.set_message("waiting for the result");
        Self { bar, shown: None, lines: 0 }
    }

    /// Of a batch, some of which may be done before anybody looks.
    pub(super) fn batch(batch: &Batch) -> Self {
        let bar = progress::rate("inputs", batch.progress.total);
        bar.set_position(over(batch));
        bar.reset_eta();
        bar.reset_elapsed();
        Self { bar, shown: None, lines: 0 }
    }

    /// Shows how the batch stands; whether that is news.
    pub(super) fn show(&mut self, batch: &Batch) -> bool {
        let over = over(batch);
        let is_new =
            self.shown.as_ref().is_none_or(|(status, n)| *status != batch.status || *n != over);
        if !is_new {
            return false;
        }
        self.bar.set_position(over);
        let lines = over * LINES / batch.progress.total.max(1);
        let is_first = self.shown.as_ref().is_none_or(|(status, _)| *status != batch.status);
        if self.bar.is_hidden() && (is_first || lines > self.lines) {
            output::say(line(batch));
        }
        self.lines = lines;
        self.shown = Some((batch.status.clone(), over));
        true
    }

    /// Tells people something without disturbing the bar.
    pub(super) fn say(&self, text: &str) {
        self.bar.suspend(|| output::say(format_args!("dcmp: {text}")));
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn over(batch: &Batch) -> u64 {
    batch.progress.completed + batch.progress.failed
}

fn line(batch: &Batch) -> String {
    let Batch { job_id, status, progress, .. } = batch;
    let failed = match progress.failed {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    let over = over(batch);
    format!("{job_id} {status}: {over} of {}{failed}", output::count(progress.total, "input"))
}
