//! The directory, read strictly: one at the end, every entry where it says, none over another.

use std::{
    io::{Read, Seek, SeekFrom},
    ops::Range,
};

use crate::{Error, quoted};

/// What is accepted, and how refusals speak of it.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// What the file is to be, such as `a TorchScript file`.
    pub what: &'static str,
    /// What mends it, such as `save the model with torch.jit.save`.
    pub remedy: &'static str,
    /// The most entries.
    pub max_entries: usize,
    /// The longest directory, in bytes.
    pub max_directory: u64,
}

const END: &[u8] = b"PK\x05\x06";
const END_LENGTH: u64 = 22;
const DIRECTORY: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";
const LOCAL_LENGTH: u64 = 30;

/// An entry of the archive.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its path, with `/`.
    pub name: String,
    /// Where it is stored.
    pub stored: Range<u64>,
    /// Whether it is stored deflated.
    pub deflated: bool,
    /// How long its contents say they are, in bytes.
    pub size: u64,
    /// The CRC-32 of its contents.
    pub crc: u32,
}

/// The entries, in the order of the directory.
///
/// # Errors
/// `Refused` with what is wrong with the archive.
pub fn entries(file: &mut (impl Read + Seek), rules: &Rules) -> Result<Vec<Entry>, Error> {
    let Directory { count, start, bytes } = rules.directory(file)?;
    let mut rest = &bytes[..];
    let mut entries = Vec::with_capacity(count);
    let mut taken = Vec::with_capacity(count);
    for _ in 0..count {
        let (entry, range) = rules.entry(file, &mut rest, start)?;
        taken.push((range, entries.len()));
        entries.push(entry);
    }
    if !rest.is_empty() {
        return Err(rules.damaged("its directory has another length than it says"));
    }
    taken.sort_by_key(|(range, _)| range.start);
    for pair in taken.windows(2) {
        let [(one, name), (other, twin)] = pair else { continue };
        if one.end > other.start {
            return Err(Error::Refused(format!(
                "the entries {} and {} lie over each other; {}",
                quoted(&entries[*name].name),
                quoted(&entries[*twin].name),
                rules.remedy
            )));
        }
    }
    Ok(entries)
}

/// What the file has at `at`; nothing behind its end.
///
/// # Errors
/// When the file cannot be read.
pub fn bytes_at(file: &mut (impl Read + Seek), at: u64, length: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(at))?;
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The list of entries as it is stored.
struct Directory {
    count: usize,
    start: u64,
    bytes: Vec<u8>,
}

impl Rules {
    fn directory(&self, file: &mut (impl Read + Seek)) -> Result<Directory, Error> {
        if bytes_at(file, 0, LOCAL.len() as u64)? != LOCAL {
            return Err(Error::Refused(format!(
                "not {}: it is no zip archive; {}",
                self.what, self.remedy
            )));
        }
        // a comment could hide another directory, so the end record is the end of the file
        let length = file.seek(SeekFrom::End(0))?;
        let at = length.saturating_sub(END_LENGTH);
        let end = bytes_at(file, at, END_LENGTH)?;
        if !end.starts_with(END) || (end.len() as u64) < END_LENGTH {
            return Err(Error::Refused(format!(
                "the file is truncated, or something follows the archive; {}",
                self.remedy
            )));
        }
        let count = short(&end, 10).unwrap_or(0);
        let (size, start) = (long(&end, 12).unwrap_or(0), long(&end, 16).unwrap_or(0));
        let most = u64::from(u32::MAX);
        if size == most || start == most || count == usize::from(u16::MAX) {
            return Err(Error::Refused(
                "archives of 4 GB or of 65535 entries and more are not accepted".to_owned(),
            ));
        }
        if short(&end, 4) != Some(0) || short(&end, 8) != Some(count) {
            return Err(self.damaged("it is spread over several disks"));
        }
        let Self { max_entries, max_directory, .. } = self;
        if count > *max_entries || size > *max_directory {
            return Err(Error::Refused(format!(
                "the archive has {count} entries in a directory of {size} bytes; at most {max_entries} \
             and {max_directory} are accepted"
            )));
        }
        if start + size > at {
            return Err(self.damaged("its directory is not where it says"));
        }
        Ok(Directory { count, start, bytes: bytes_at(file, start, size)? })
    }

    /// The next entry of the directory, which begins at `directory`, and the bytes that it takes in the file.
    fn entry(
        &self,
        file: &mut (impl Read + Seek),
        rest: &mut &[u8],
        directory: u64,
    ) -> Result<(Entry, Range<u64>), Error> {
        let incomplete = || self.damaged("its directory is incomplete");
        let given = *rest;
        let field = |offset| short(given, offset).ok_or_else(incomplete);
        let number = |offset| long(given, offset).ok_or_else(incomplete);
        if !given.starts_with(DIRECTORY) {
            return Err(incomplete());
        }
        let (flags, method) = (field(8)?, field(10)?);
        let (crc, compressed, size, local) = (number(16)?, number(20)?, number(24)?, number(42)?);
        let (name_length, extra, comment) = (field(28)?, field(30)?, field(32)?);
        let name = given.get(46..46 + name_length).ok_or_else(incomplete)?;
        let name = std::str::from_utf8(name)
            .map_err(|_| self.damaged("the name of an entry is not UTF-8"))
            .and_then(safe)?;
        *rest = given.get(46 + name_length + extra + comment..).ok_or_else(incomplete)?;
        let problem = |text: &str| {
            Error::Refused(format!("the entry {} {text}; {}", quoted(name), self.remedy))
        };
        // 3: sizes follow the data, as PyTorch writes; 11: names are UTF-8
        if flags & !(1 << 3 | 1 << 11 | 0b110) != 0 {
            return Err(problem("is encrypted or of an unusual kind"));
        }
        if !matches!(method, 0 | 8) || (method == 0 && compressed != size) {
            return Err(problem("is neither stored nor deflated"));
        }
        let header = bytes_at(file, local, LOCAL_LENGTH + name_length as u64)?;
        let (Some(local_name), Some(local_extra), Some(local_method)) =
            (short(&header, 26), short(&header, 28), short(&header, 8))
        else {
            return Err(problem("is not where the directory says"));
        };
        if !header.starts_with(LOCAL) {
            return Err(problem("is not where the directory says"));
        }
        let data = local + LOCAL_LENGTH + (local_name + local_extra) as u64;
        let same = local_name == name_length && header[LOCAL_LENGTH as usize..] == *name.as_bytes();
        let end = data + compressed;
        if !same || local_method != method || end > directory {
            return Err(problem("differs from what the directory says of it"));
        }
        let (stored, deflated) = (data..end, method == 8);
        // it was read from 32 bits
        let crc = u32::try_from(crc).unwrap_or_default();
        let entry = Entry { name: name.to_owned(), stored, deflated, size, crc };
        Ok((entry, local..end))
    }

    fn damaged(&self, what: &str) -> Error {
        Error::Refused(format!("the archive is damaged: {what}; {}", self.remedy))
    }
}

/// A path that stays within the archive.
fn safe(name: &str) -> Result<&str, Error> {
    let bad = name.is_empty()
        || name.starts_with('/')
        || name.contains(['\\', ':'])
        || name.chars().any(char::is_control)
        || name.split('/').any(|part| part == "..");
    if bad {
        return Err(Error::Refused(format!(
            "the entry {} has a path that leaves the archive or is no path",
            quoted(name)
        )));
    }
    Ok(name)
}

fn short(file: &[u8], at: usize) -> Option<usize> {
    file.get(at..)?.first_chunk().map(|bytes| usize::from(u16::from_le_bytes(*bytes)))
}

fn long(file: &[u8], at: usize) -> Option<u64> {
    file.get(at..)?.first_chunk().map(|bytes| u64::from(u32::from_le_bytes(*bytes)))
}
