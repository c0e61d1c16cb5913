//! An object that is written as it comes, a part at a time, for what is too large to be in memory. Not
//! for threads of the async runtime: it waits for every part.

use std::{
    io::{self, Write},
    sync::Arc,
};

use bytes::Bytes;
use ports::{Blobs, Checksum, Part};
use tokio::runtime::Handle;

/// The bytes of every part but the last.
const PART: usize = 8 << 20;

/// An object that is being written; nothing of it is there before it is finished.
pub(super) struct ObjectWriter {
    blobs: Arc<dyn Blobs>,
    runtime: Handle,
    key: String,
    /// What was written and is in no part yet.
    rest: Vec<u8>,
    /// The upload in parts, once one part was full.
    upload: Option<(String, Vec<Part>)>,
}

impl ObjectWriter {
    pub(super) fn new(blobs: Arc<dyn Blobs>, runtime: Handle, key: String) -> Self {
        Self { blobs, runtime, key, rest: Vec::new(), upload: None }
    }

    /// Stores what was written; nothing if nothing was.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if self.upload.is_none() {
            if self.rest.is_empty() {
                return Ok(());
            }
            let bytes = Bytes::from(std::mem::take(&mut self.rest));
            return self.wait(self.blobs.put(&self.key, bytes));
        }
        if !self.rest.is_empty() {
            self.send()?;
        }
        let Some((upload, parts)) = self.upload.take() else { return Ok(()) };
        self.wait(self.blobs.complete_upload(&self.key, &upload, &parts)).map(drop)
    }

    /// Forgets what was written.
    pub(super) fn abandon(self) {
        let Some((upload, _)) = &self.upload else { return };
        if let Err(cause) = self.wait(self.blobs.abort_upload(&self.key, upload)) {
            tracing::warn!(%cause, key = self.key, "an unfinished file goes with its dataset");
        }
    }

    /// Sends what is there as the next part.
    fn send(&mut self) -> io::Result<()> {
        let (upload, mut parts) = match self.upload.take() {
            Some(begun) => begun,
            None => (self.wait(self.blobs.start_upload(&self.key))?, Vec::new()),
        };
        let bytes = Bytes::from(std::mem::take(&mut self.rest));
        let number = u32::try_from(parts.len() + 1).map_err(io::Error::other)?;
        let part = Part { number, checksum: Checksum::of(&bytes) };
        let sent = self.wait(self.blobs.put_part(&self.key, &upload, part, bytes));
        parts.push(part);
        self.upload = Some((upload, parts));
        sent
    }

    fn wait<T>(&self, future: impl Future<Output = ports::Result<T>>) -> io::Result<T> {
        self.runtime.block_on(future).map_err(io::Error::other)
    }
}

impl Write for ObjectWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.rest.capacity() == 0 && self.upload.is_some() {
            self.rest.reserve_exact(PART);
        }
        let taken = bytes.len().min(PART - self.rest.len());
        self.rest.extend_from_slice(&bytes[..taken]);
        if self.rest.len() == PART {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
