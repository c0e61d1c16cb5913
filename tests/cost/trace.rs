//! The platform's trace of its table, read from its standard error.

use crate::support::{Platform, eventually};

/// What the functions of one inference asked of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Writes.
    pub(crate) writes: u64,
    /// One for each KB, begun, of the item that is written.
    pub(crate) write_units: u64,
    /// Reads, a query or a batch counting once.
    pub(crate) reads: u64,
    /// Waits for the disk.
    pub(crate) waits: u64,
}

/// The functions that an inference on a device passes through.
const FUNCTIONS: [&str; 3] = ["inference-submit", "queue-work", "socket-task-done"];

/// A place in the trace.
pub(crate) struct Trace<'a> {
    platform: &'a Platform,
    read: usize,
}

impl<'a> Trace<'a> {
    pub(crate) fn new(platform: &'a Platform) -> Self {
        Self { platform, read: 0 }
    }

    /// Goes on to the trace's end.
    pub(crate) async fn skip(&mut self) {
        self.next().await;
    }

    /// What was asked since the place before, and how large `job` became by it.
    pub(crate) async fn cost(&mut self, job: &str) -> Cost {
        let mut cost = Cost::default();
        for line in self.next().await.lines() {
            if let Some((_, bytes)) = line.split_once(" bytes=")
                && line.contains(job)
                && line.contains("JOB#")
            {
                let bytes: u64 = bytes.trim().parse().unwrap_or(u64::MAX);
                cost.write_units += bytes.div_ceil(1024).max(1);
            }
            let Some(operation) = operation(line) else { continue };
            match operation {
                "write" | "transact" => cost.writes += 1,
                "durable" => cost.waits += 1,
                _ => cost.reads += 1,
            }
        }
        cost
    }

    /// The lines since the place before. They come through a pipe in their order, so those of a
    /// request sent now come behind all of them.
    async fn next(&mut self) -> String {
        let marks = self.marks();
        let (_, health) = self.platform.client.get("/health/detailed").await;
        assert!(health.is_object(), "{health}");
        eventually("the end of the trace", || async { (self.marks() > marks).then_some(()) }).await;
        let said = self.platform.process.said();
        let lines = said[self.read..].to_owned();
        self.read = said.len();
        lines
    }

    fn marks(&self) -> usize {
        self.platform.process.said().matches("function=\"health-detailed\"").count()
    }
}

/// What the function of an inference asks, if the line says that one does.
fn operation(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("function=\"")?;
    let (function, rest) = rest.split_once("\" operation=\"")?;
    let (operation, _) = rest.split_once('"')?;
    FUNCTIONS.contains(&function).then_some(operation)
}
