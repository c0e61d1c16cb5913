//! How a command ended, as numbers that scripts can use, and errors that carry one.

use std::fmt;

/// What a command ends with; `dcmp --help` lists the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// What was asked for is done.
    Done = 0,
    /// The platform or the network failed.
    Failed = 1,
    /// The command line or a file that it names needs a change.
    Usage = 2,
    /// The platform refused the request.
    Refused = 3,
    /// The job, or an input of a batch, failed, timed out or was cancelled.
    JobFailed = 4,
    /// The job goes on without us.
    Running = 5,
    /// Ctrl-C; 128 + SIGINT, as shells have it.
    Interrupted = 130,
}

/// Shown below `dcmp --help`.
pub(crate) const HELP: &str = "Exit codes:
  0    done
  1    the platform or the network failed
  2    the command line, or a file that it names, needs a change
  3    the platform refused the request (a 4xx answer); the message says what to change
  4    the job, or an input of a batch, failed, timed out or was cancelled
  5    the job is still running; `dcmp jobs show` asks again
  130  interrupted";

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error that says how the command ends.
#[derive(Debug)]
struct Failure {
    exit: Exit,
    message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// An error that ends the command with `exit`.
pub(crate) fn error(exit: Exit, message: impl Into<String>) -> anyhow::Error {
    Failure { exit, message: message.into() }.into()
}

/// What was typed, or a file that it names, needs a change.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    error(Exit::Usage, message)
}

/// How a command ends that ended with an error.
pub(crate) fn of(error: &anyhow::Error) -> Exit {
    if error.is::<Closed>() {
        return Exit::Done;
    }
    error.downcast_ref::<Failure>().map_or(Exit::Failed, |failure| failure.exit)
}

/// Nobody reads our output any more, as behind `| head`: a reason to end, not to complain.
#[derive(Debug)]
pub(crate) struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads the output any more")
    }
}

impl std::error::Error for Closed {}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn errors_keep_their_code_under_context() {
        let refused = error(Exit::Refused, "no such model");
        assert_eq!(of(&refused), Exit::Refused);
        let explained = Err::<(), _>(usage("no file")).context("cannot upload");
        assert_eq!(of(&explained.expect_err("is an error")), Exit::Usage);
        assert_eq!(of(&anyhow::anyhow!("something else")), Exit::Failed);
        assert_eq!(of(&Closed.into()), Exit::Done);
    }

    #[test]
    fn the_help_lists_every_code() {
        use Exit::{Done, Failed, Interrupted, JobFailed, Refused, Running, Usage};
        for exit in [Done, Failed, Usage, Refused, JobFailed, Running, Interrupted] {
            let line = format!("\n  {:<5}", exit as u8);
            assert!(HELP.contains(&line), "{line}");
        }
    }
}
