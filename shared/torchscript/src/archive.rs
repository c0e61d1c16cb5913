//! The zip container, read strictly: one directory at the end, every entry where it says, none over
//! another. <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>

use std::{
    io::{Read, Seek, SeekFrom},
    ops::Range,
};

use crate::{Problem, Refused, quoted};

/// The most entries; a large network has some thousand.
const MAX_ENTRIES: usize = 20_000;

/// The longest directory, in bytes.
const MAX_DIRECTORY: u64 = 8 << 20;

const END: &[u8] = b"PK\x05\x06";
const END_LENGTH: u64 = 22;
const DIRECTORY: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";
const LOCAL_LENGTH: u64 = 30;

/// An entry of the archive.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Its path, with `/`.
    pub(crate) name: String,
    /// Where it is stored.
    pub(crate) stored: Range<u64>,
    /// Whether it is stored deflated.
    pub(crate) deflated: bool,
    /// How long its contents say they are, in bytes.
    pub(crate) size: u64,
}

/// The entries, in the order of the directory.
pub(crate) fn entries(file: &mut (impl Read + Seek)) -> Result<Vec<Entry>, Problem> {
    let Directory { count, start, bytes } = directory(file)?;
    let mut rest = &bytes[..];
    let mut entries = Vec::with_capacity(count);
    let mut taken = Vec::with_capacity(count);
    for _ in 0..count {
        let (entry, range) = entry(file, &mut rest, start)?;
        taken.push((range, entries.len()));
        entries.push(entry);
    }
    if !rest.is_empty() {
        return Err(damaged("its directory has another length than it says").into());
    }
    taken.sort_by_key(|(range, _)| range.start);
    for pair in taken.windows(2) {
        let [(one, name), (other, twin)] = pair else { continue };
        if one.end > other.start {
            return Err(Problem::Refused(Refused::new(format!(
                "the entries {} and {} lie over each other; save the model again with torch.jit.save",
                quoted(&entries[*name].name),
                quoted(&entries[*twin].name)
            ))));
        }
    }
    Ok(entries)
}

/// What the file has at `at`; nothing behind its end.
pub(crate) fn bytes_at(
    file: &mut (impl Read + Seek),
    at: u64,
    length: u64,
) -> Result<Vec<u8>, Problem> {
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

fn directory(file: &mut (impl Read + Seek)) -> Result<Directory, Problem> {
    if bytes_at(file, 0, LOCAL.len() as u64)? != LOCAL {
        return Err(Problem::Refused(Refused::new(
            "not a TorchScript file: it is no zip archive; save the model with torch.jit.save",
        )));
    }
    // PyTorch writes no comment, so the end record is the end of the file.
    let length = file.seek(SeekFrom::End(0))?;
    let at = length.saturating_sub(END_LENGTH);
    let end = bytes_at(file, at, END_LENGTH)?;
    if !end.starts_with(END) || (end.len() as u64) < END_LENGTH {
        return Err(Problem::Refused(Refused::new(
            "the file is truncated, or something follows the archive; send it again as torch.jit.save \
             wrote it",
        )));
    }
    let count = short(&end, 10).unwrap_or(0);
    let (size, start) = (long(&end, 12).unwrap_or(0), long(&end, 16).unwrap_or(0));
    let most = u64::from(u32::MAX);
    if size == most || start == most || count == usize::from(u16::MAX) {
        return Err(Problem::Refused(Refused::new(
            "archives of 4 GB or more are not accepted; export the model as ONNX",
        )));
    }
    if short(&end, 4) != Some(0) || short(&end, 8) != Some(count) {
        return Err(damaged("it is spread over several disks").into());
    }
    if count > MAX_ENTRIES || size > MAX_DIRECTORY {
        return Err(Problem::Refused(Refused::new(format!(
            "the archive has {count} entries in a directory of {size} bytes; at most {MAX_ENTRIES} and \
             {MAX_DIRECTORY} are accepted"
        ))));
    }
    if start + size > at {
        return Err(damaged("its directory is not where it says").into());
    }
    Ok(Directory { count, start, bytes: bytes_at(file, start, size)? })
}

/// The next entry of the directory, which begins at `directory`, and the bytes that it takes in the file.
fn entry(
    file: &mut (impl Read + Seek),
    rest: &mut &[u8],
    directory: u64,
) -> Result<(Entry, Range<u64>), Problem> {
    let incomplete = || damaged("its directory is incomplete");
    let given = *rest;
    let field = |offset| short(given, offset).ok_or_else(incomplete);
    let number = |offset| long(given, offset).ok_or_else(incomplete);
    if !given.starts_with(DIRECTORY) {
        return Err(incomplete().into());
    }
    let (flags, method) = (field(8)?, field(10)?);
    let (compressed, size, local) = (number(20)?, number(24)?, number(42)?);
    let (name_length, extra, comment) = (field(28)?, field(30)?, field(32)?);
    let name = given.get(46..46 + name_length).ok_or_else(incomplete)?;
    let name = std::str::from_utf8(name)
        .map_err(|_| damaged("the name of an entry is not UTF-8"))
        .and_then(safe)?;
    *rest = given.get(46 + name_length + extra + comment..).ok_or_else(incomplete)?;
    let problem = |text: &str| Refused::new(format!("the entry {} {text}", quoted(name)));
    // 3: sizes follow the data, as PyTorch writes; 11: names are UTF-8
    if flags & !(1 << 3 | 1 << 11 | 0b110) != 0 {
        return Err(problem("is encrypted or of a kind that PyTorch does not write").into());
    }
    if !matches!(method, 0 | 8) || (method == 0 && compressed != size) {
        return Err(
            problem("is neither stored nor deflated; save the model with torch.jit.save").into()
        );
    }
    let header = bytes_at(file, local, LOCAL_LENGTH + name_length as u64)?;
    let (Some(local_name), Some(local_extra), Some(local_method)) =
        (short(&header, 26), short(&header, 28), short(&header, 8))
    else {
        return Err(problem("is not where the directory says; the file is damaged").into());
    };
    if !header.starts_with(LOCAL) {
        return Err(problem("is not where the directory says; the file is damaged").into());
    }
    let data = local + LOCAL_LENGTH + (local_name + local_extra) as u64;
    let same = local_name == name_length && header[LOCAL_LENGTH as usize..] == *name.as_bytes();
    let end = data + compressed;
    if !same || local_method != method || end > directory {
        return Err(
            problem("differs from what the directory says of it; the file is damaged").into()
        );
    }
    let entry = Entry { name: name.to_owned(), stored: data..end, deflated: method == 8, size };
    Ok((entry, local..end))
}

/// A path that stays within the archive.
fn safe(name: &str) -> Result<&str, Refused> {
    let bad = name.is_empty()
        || name.starts_with('/')
        || name.contains(['\\', ':'])
        || name.chars().any(char::is_control)
        || name.split('/').any(|part| part == "..");
    if bad {
        return Err(Refused::new(format!(
            "the entry {} has a path that leaves the archive or is no path",
            quoted(name)
        )));
    }
    Ok(name)
}

fn damaged(what: &str) -> Refused {
    Refused::new(format!(
        "the archive is damaged: {what}; save the model again with torch.jit.save"
    ))
}

fn short(file: &[u8], at: usize) -> Option<usize> {
    file.get(at..)?.first_chunk().map(|bytes| usize::from(u16::from_le_bytes(*bytes)))
}

fn long(file: &[u8], at: usize) -> Option<u64> {
    file.get(at..)?.first_chunk().map(|bytes| u64::from(u32::from_le_bytes(*bytes)))
}
