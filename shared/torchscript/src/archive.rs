//! The zip container, read strictly: one directory at the end, every entry where it says, none over
//! another. <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>

use crate::{Refused, quoted};

/// The most entries; a large network has some thousand.
const MAX_ENTRIES: usize = 20_000;

const END: &[u8] = b"PK\x05\x06";
const END_LENGTH: usize = 22;
const DIRECTORY: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";

/// An entry of the archive.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    /// Its path, with `/`.
    pub(crate) name: &'a str,
    /// As it is stored.
    pub(crate) stored: &'a [u8],
    /// Whether `stored` is deflated.
    pub(crate) deflated: bool,
    /// How long its contents say they are, in bytes.
    pub(crate) size: usize,
}

/// The entries, in the order of the directory.
pub(crate) fn entries(file: &[u8]) -> Result<Vec<Entry<'_>>, Refused> {
    let (count, start, end) = directory(file)?;
    if count > MAX_ENTRIES {
        return Err(Refused::new(format!(
            "the archive has {count} entries; at most {MAX_ENTRIES} are accepted"
        )));
    }
    let mut at = start;
    let mut entries = Vec::with_capacity(count);
    let mut taken = Vec::with_capacity(count);
    for _ in 0..count {
        let (entry, range, next) = entry(file, at, start)?;
        taken.push((range, entry.name));
        entries.push(entry);
        at = next;
    }
    if at != end {
        return Err(damaged("its directory has another length than it says"));
    }
    taken.sort_by_key(|(range, _)| range.start);
    for pair in taken.windows(2) {
        let [(one, name), (other, twin)] = pair else { continue };
        if one.end > other.start {
            return Err(Refused::new(format!(
                "the entries {} and {} lie over each other; save the model again with torch.jit.save",
                quoted(name),
                quoted(twin)
            )));
        }
    }
    Ok(entries)
}

/// How many entries there are, and where their directory begins and ends.
fn directory(file: &[u8]) -> Result<(usize, usize, usize), Refused> {
    if !file.starts_with(LOCAL) {
        return Err(Refused::new(
            "not a TorchScript file: it is no zip archive; save the model with torch.jit.save",
        ));
    }
    // PyTorch writes no comment, so the end record is the end of the file.
    let end = file.len().checked_sub(END_LENGTH).filter(|end| file[*end..].starts_with(END));
    let Some(end) = end else {
        return Err(Refused::new(
            "the file is truncated, or something follows the archive; send it again as torch.jit.save \
             wrote it",
        ));
    };
    let count = short(file, end + 10).unwrap_or(0);
    let (size, start) = (long(file, end + 12).unwrap_or(0), long(file, end + 16).unwrap_or(0));
    let wide =
        size == u32::MAX as usize || start == u32::MAX as usize || count == usize::from(u16::MAX);
    if wide {
        return Err(Refused::new(
            "archives of 4 GB or more are not accepted; export the model as ONNX",
        ));
    }
    if short(file, end + 4) != Some(0) || short(file, end + 8) != Some(count) {
        return Err(damaged("it is spread over several disks"));
    }
    match start.checked_add(size) {
        Some(stop) if stop <= end => Ok((count, start, stop)),
        _ => Err(damaged("its directory is not where it says")),
    }
}

type Found<'a> = (Entry<'a>, std::ops::Range<usize>, usize);

/// The entry at `at` in the directory, the bytes that it takes in the file, and where the next begins.
fn entry(file: &[u8], at: usize, directory: usize) -> Result<Found<'_>, Refused> {
    let incomplete = || damaged("its directory is incomplete");
    let field = |offset| short(file, at + offset).ok_or_else(incomplete);
    let number = |offset| long(file, at + offset).ok_or_else(incomplete);
    if !file.get(at..).is_some_and(|rest| rest.starts_with(DIRECTORY)) {
        return Err(incomplete());
    }
    let (flags, method) = (field(8)?, field(10)?);
    let (compressed, size, local) = (number(20)?, number(24)?, number(42)?);
    let (name_length, extra, comment) = (field(28)?, field(30)?, field(32)?);
    let name_at = at + 46;
    let name = file.get(name_at..name_at + name_length).ok_or_else(incomplete)?;
    let name = std::str::from_utf8(name)
        .map_err(|_| damaged("the name of an entry is not UTF-8"))
        .and_then(safe)?;
    let problem = |text: &str| Refused::new(format!("the entry {} {text}", quoted(name)));
    // 3: sizes follow the data, as PyTorch writes; 11: names are UTF-8
    if flags & !(1 << 3 | 1 << 11 | 0b110) != 0 {
        return Err(problem("is encrypted or of a kind that PyTorch does not write"));
    }
    if !matches!(method, 0 | 8) || (method == 0 && compressed != size) {
        return Err(problem("is neither stored nor deflated; save the model with torch.jit.save"));
    }
    let header = file.get(local..).filter(|rest| rest.starts_with(LOCAL));
    let (Some(_), Some(local_name), Some(local_extra), Some(local_method)) =
        (header, short(file, local + 26), short(file, local + 28), short(file, local + 8))
    else {
        return Err(problem("is not where the directory says; the file is damaged"));
    };
    let data = local + 30 + local_name + local_extra;
    let same = file.get(local + 30..local + 30 + local_name) == Some(name.as_bytes());
    let stored = data.checked_add(compressed).filter(|end| *end <= directory);
    let stored = stored.and_then(|end| file.get(data..end));
    match stored {
        Some(stored) if same && local_method == method => {
            let entry = Entry { name, stored, deflated: method == 8, size };
            Ok((entry, local..data + compressed, name_at + name_length + extra + comment))
        }
        _ => Err(problem("differs from what the directory says of it; the file is damaged")),
    }
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

fn long(file: &[u8], at: usize) -> Option<usize> {
    file.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes) as usize)
}
