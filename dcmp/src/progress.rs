//! Bars on standard error while something takes its time; nothing where that is not a terminal.

use std::{borrow::Cow, time::Duration};

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

/// Between two steps of a spinner.
const TICK: Duration = Duration::from_millis(100);

/// A bar for a transfer of `bytes`.
pub(crate) fn transfer(message: impl Into<Cow<'static, str>>, bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{msg} [{bar:30}] {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec}",
    );
    let style = style.expect("the template is right").progress_chars("=> ");
    // whoever moves it may be dropped by others
    let bar = ProgressBar::new(bytes).with_finish(ProgressFinish::AndClear);
    bar.with_style(style).with_message(message)
}

/// A bar for things to be counted.
pub(crate) fn count(message: impl Into<Cow<'static, str>>, things: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len}");
    let style = style.expect("the template is right").progress_chars("=> ");
    ProgressBar::new(things).with_style(style).with_message(message)
}

/// A bar for things that take their time: how many a second, and how long the others will take.
pub(crate) fn rate(message: impl Into<Cow<'static, str>>, things: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{msg} [{bar:30}] {human_pos}/{human_len}, {per_sec}, {eta} left",
    );
    let style = style.expect("the template is right").progress_chars("=> ");
    ProgressBar::new(things).with_style(style).with_message(message)
}

/// A spinner with a message.
pub(crate) fn spinner() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg}").expect("the template is right");
    let bar = ProgressBar::new_spinner().with_style(style);
    bar.enable_steady_tick(TICK);
    bar
}
