//! A stored object as a file: read where it is needed, a piece at a time, for what is too large to be
//! in memory. Not for threads of the async runtime: it waits for every piece.

use std::{
    io::{self, Read, Seek, SeekFrom},
    sync::Arc,
};

use bytes::Bytes;
use ports::Blobs;
use tokio::runtime::Handle;

/// How much is fetched at once, in bytes.
const PIECE: u64 = 1 << 20;

/// An object, and where it is read next.
pub(crate) struct ObjectFile {
    blobs: Arc<dyn Blobs>,
    runtime: Handle,
    key: String,
    size: u64,
    at: u64,
    /// What was fetched last, and where it begins.
    piece: (u64, Bytes),
}

impl ObjectFile {
    /// The object `key` of `size` bytes.
    pub(crate) fn new(blobs: Arc<dyn Blobs>, runtime: Handle, key: String, size: u64) -> Self {
        Self { blobs, runtime, key, size, at: 0, piece: (0, Bytes::new()) }
    }

    fn fetch(&mut self) -> io::Result<()> {
        let range = self.at..(self.at + PIECE).min(self.size);
        let got = self.runtime.block_on(self.blobs.get(&self.key, Some(range.clone())));
        let bytes = got.map_err(io::Error::other)?.unwrap_or_default();
        if bytes.len() as u64 != range.end - range.start {
            return Err(io::Error::other(format!("{} changed while it was read", self.key)));
        }
        self.piece = (self.at, bytes);
        Ok(())
    }
}

impl Read for ObjectFile {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.size || out.is_empty() {
            return Ok(0);
        }
        let (start, piece) = &self.piece;
        if self.at < *start || self.at >= start + piece.len() as u64 {
            self.fetch()?;
        }
        let (start, piece) = &self.piece;
        let mut rest = &piece[(self.at - start) as usize..];
        let read = rest.read(out)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for ObjectFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        let before = || io::Error::new(io::ErrorKind::InvalidInput, "a place before the file");
        self.at = at.ok_or_else(before)?;
        Ok(self.at)
    }
}
