//! Writing archives: files as they are, one after the other, the same bytes for the same files.

use std::io::{self, Write};

use flate2::Crc;

/// Nothing in an archive of ours needs more than version 1.0 of the format.
const VERSION: u16 = 10;

/// Names are UTF-8.
const FLAGS: u16 = 1 << 11;

/// The first of January 1980, the least date that there is.
const DATE: u16 = 1 << 5 | 1;

/// An archive that is being written.
pub struct Pack<W> {
    out: W,
    at: u64,
    directory: Vec<u8>,
    count: usize,
}

impl<W: Write> Pack<W> {
    /// An archive to `out`.
    pub fn new(out: W) -> Self {
        Self { out, at: 0, directory: Vec::new(), count: 0 }
    }

    /// Adds a file by its path in the archive, with `/`.
    ///
    /// # Errors
    /// When it cannot be written, or an archive cannot hold as much: 4 GB and 65 534 files.
    pub fn add(&mut self, path: &str, contents: &[u8]) -> io::Result<()> {
        let (length, start, name) =
            (narrow(contents.len() as u64)?, narrow(self.at)?, narrow16(path.len())?);
        let mut crc = Crc::new();
        crc.update(contents);
        let mut about = Vec::with_capacity(26);
        for field in [VERSION, FLAGS, 0, 0, DATE] {
            about.extend(field.to_le_bytes());
        }
        for field in [crc.sum(), length, length] {
            about.extend(field.to_le_bytes());
        }
        about.extend(name.to_le_bytes());
        about.extend([0; 2]);
        self.write(b"PK\x03\x04")?;
        self.write(&about)?;
        self.write(path.as_bytes())?;
        self.write(contents)?;
        self.directory.extend(b"PK\x01\x02");
        self.directory.extend(VERSION.to_le_bytes());
        self.directory.extend(&about);
        // no comment, the first disk, no attributes
        self.directory.extend([0; 10]);
        self.directory.extend(start.to_le_bytes());
        self.directory.extend(path.as_bytes());
        self.count += 1;
        Ok(())
    }

    /// Writes the directory.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn finish(mut self) -> io::Result<W> {
        let (start, length) = (narrow(self.at)?, narrow(self.directory.len() as u64)?);
        let count = narrow16(self.count)?;
        self.out.write_all(&self.directory)?;
        self.out.write_all(b"PK\x05\x06\0\0\0\0")?;
        self.out.write_all(&[count.to_le_bytes(), count.to_le_bytes()].concat())?;
        self.out.write_all(&[length.to_le_bytes(), start.to_le_bytes()].concat())?;
        self.out.write_all(&[0; 2])?;
        Ok(self.out)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}

/// The greatest values mean that the true ones are elsewhere.
fn narrow(value: u64) -> io::Result<u32> {
    let narrow = u32::try_from(value).ok().filter(|value| *value < u32::MAX);
    narrow.ok_or_else(|| io::Error::other("an archive has less than 4 GB"))
}

fn narrow16(value: usize) -> io::Result<u16> {
    let narrow = u16::try_from(value).ok().filter(|value| *value < u16::MAX);
    narrow.ok_or_else(|| io::Error::other("an archive has less than 65535 files"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::io::{Cursor, Read};

    use super::*;
    use crate::{Contents, Rules, entries};

    #[test]
    fn what_is_packed_is_read_again() {
        let mut pack = Pack::new(Vec::new());
        pack.add("cat/é.png", b"first").unwrap();
        pack.add("dog/2.png", b"").unwrap();
        let mut file = Cursor::new(pack.finish().unwrap());
        let rules = Rules { what: "", remedy: "", max_entries: 2, max_directory: 1 << 10 };
        let read = entries(&mut file, &rules).unwrap();
        let names: Vec<_> = read.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["cat/é.png", "dog/2.png"]);
        let mut contents = String::new();
        Contents::open(&mut file, &read[0]).unwrap().read_to_string(&mut contents).unwrap();
        assert_eq!(contents, "first");
        let damaged = crate::Entry { crc: 7, ..read[0].clone() };
        let error = Contents::open(&mut file, &damaged).unwrap().read_to_end(&mut Vec::new());
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
