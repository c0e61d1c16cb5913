//! Being asked to end: Ctrl-C, or SIGTERM from a service manager.

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens from its making on, so that no signal is lost between two waits.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl Signals {
    /// From now on Ctrl-C and SIGTERM do not end this process by themselves.
    pub(crate) fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for Ctrl-C");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: None,
        })
    }

    /// Likewise, nor does the end of the terminal: for who must tidy up. Others leave it alone, as
    /// `nohup` wants it.
    pub(crate) fn with_hangup() -> Result<Self> {
        let hangup = signal(SignalKind::hangup()).context("cannot listen for a hangup")?;
        Ok(Self { hangup: Some(hangup), ..Self::new()? })
    }

    /// The next one.
    pub(crate) async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    #[tokio::test]
    async fn signals_that_come_between_two_waits_are_heard() {
        let mut signals = Signals::with_hangup().unwrap();
        for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
            kill_process(getpid(), signal).unwrap();
            signals.next().await;
        }
    }
}
