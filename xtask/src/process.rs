//! Processes that commands here start; none outlives the command.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command},
    time::Duration,
};

use anyhow::{Context, Result};

/// A child that is ended when it is dropped.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self(child))
    }

    /// Memory of it and its children that is in use, in MB (Linux).
    pub(crate) fn memory_mb(&self) -> f64 {
        let mut total = 0.0;
        let mut ids = vec![self.0.id()];
        while let Some(id) = ids.pop() {
            let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let kb = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
            total += kb.unwrap_or(0.0) / 1024.0;
            let children = format!("/proc/{id}/task/{id}/children");
            let children = std::fs::read_to_string(children).unwrap_or_default();
            ids.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        }
        total
    }

    /// The most memory that it had at a time, in MB (Linux); 0 when it is gone.
    pub(crate) fn most_memory_mb(&self) -> f64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kb = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kb.unwrap_or(0.0) / 1024.0
    }

    /// The first line that it prints; its standard output must be piped.
    pub(crate) fn first_line(&mut self) -> Result<String> {
        let stdout = self.0.stdout.take().context("its output is not piped")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// Sends it a signal, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) -> Result<()> {
        let status = Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status()?;
        anyhow::ensure!(status.success(), "the process {} is gone", self.0.id());
        Ok(())
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(Some(_)))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // what has children of its own ends them when asked; what does not end is killed
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        for _ in 0..100 {
            if self.has_ended() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
