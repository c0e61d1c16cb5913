//! What is in an entry, as a stream.

use std::io::{self, Read, Seek, SeekFrom, Take};

use flate2::{Crc, read::DeflateDecoder};

use crate::Entry;

/// The contents of an entry: exactly as long as the directory says, and with its checksum. Anything else
/// is an error of the kind `InvalidData`, once that is known; never is more unpacked.
pub struct Contents<'a, R> {
    source: Source<'a, R>,
    left: u64,
    crc: Crc,
    expected: u32,
}

enum Source<'a, R> {
    Stored(Take<&'a mut R>),
    Deflated(Box<DeflateDecoder<Take<&'a mut R>>>),
}

impl<'a, R: Read + Seek> Contents<'a, R> {
    /// The contents of `entry` of the archive `file`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn open(file: &'a mut R, entry: &Entry) -> io::Result<Self> {
        file.seek(SeekFrom::Start(entry.stored.start))?;
        let stored = file.take(entry.stored.end - entry.stored.start);
        let source = match entry.deflated {
            true => Source::Deflated(Box::new(DeflateDecoder::new(stored))),
            false => Source::Stored(stored),
        };
        Ok(Self { source, left: entry.size, crc: Crc::new(), expected: entry.crc })
    }
}

impl<R: Read> Read for Contents<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        let damaged = |what| io::Error::new(io::ErrorKind::InvalidData, what);
        let read = match &mut self.source {
            Source::Stored(stored) => stored.read(out)?,
            // an error of a flate stream has a kind of its own for each way of being wrong
            Source::Deflated(inflated) => {
                inflated.read(out).map_err(|error| match error.kind() {
                    io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
                        damaged("not deflated")
                    }
                    _ => error,
                })?
            }
        };
        self.crc.update(&out[..read]);
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| damaged("too long"))?;
        match (read, self.left) {
            (0, 0) if self.crc.sum() != self.expected => Err(damaged("another checksum")),
            (0, 1..) => Err(damaged("too short")),
            _ => Ok(read),
        }
    }
}
