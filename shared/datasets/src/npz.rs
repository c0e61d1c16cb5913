//! NumPy's archive of arrays. Where all are stored as they are, nothing is copied; deflated ones are
//! written anew, since nothing in them can be found without unpacking what is before it.

use std::io::{self, Read, Seek};

use archive::{Contents, Entry, Rules, quoted};
use protocol::dataset::{Content, File, MAX_BYTES};

use crate::{
    Output, Problem, Refused,
    arrays::{self, MAX_ARRAYS, Seen},
    npy,
};

const RULES: Rules = Rules {
    what: "an npz file",
    remedy: "save it with numpy.savez",
    max_entries: MAX_ARRAYS,
    max_directory: 1 << 20,
};

pub(crate) fn read(
    file: &mut (impl Read + Seek),
    output: &mut Output<'_>,
) -> Result<Content, Problem> {
    let mut entries = archive::entries(file, &RULES)?;
    check_size(&entries)?;
    entries.sort_by_key(|entry| entry.stored.start);
    let copies = entries.iter().any(|entry| entry.deflated);
    let (mut seen, mut written) = (Vec::with_capacity(entries.len()), 0);
    for entry in &entries {
        let name = entry.name.strip_suffix(".npy").ok_or_else(|| {
            Refused::new(format!(
                "the entry {} is no array; an npz file holds .npy files alone",
                quoted(&entry.name)
            ))
        })?;
        let output = copies.then_some(&mut *output);
        let array = see(file, entry, name, output, &mut written);
        seen.push(array.map_err(|problem| damaged(problem, entry))?);
    }
    let place = if copies { File::Written } else { File::Uploaded };
    Ok(arrays::content(seen, place)?)
}

/// What entries unpack to is limited before one is unpacked.
pub(crate) fn check_size(entries: &[Entry]) -> Result<(), Refused> {
    let unpacked: u64 = entries.iter().map(|entry| entry.size).sum();
    if unpacked > MAX_BYTES {
        return Err(Refused::new(format!(
            "the archive unpacks to {unpacked} bytes, over the limit of {MAX_BYTES}; split it"
        )));
    }
    Ok(())
}

/// A refusal of an entry that is not what the directory says.
pub(crate) fn damaged(problem: Problem, entry: &Entry) -> Problem {
    match problem {
        Problem::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            let name = quoted(&entry.name);
            Refused::new(format!("the entry {name} is damaged, {error}; pack it again")).into()
        }
        problem => problem,
    }
}

/// Reads an array; a copy of its data goes behind what was `written` before.
fn see(
    file: &mut (impl Read + Seek),
    entry: &Entry,
    name: &str,
    output: Option<&mut Output<'_>>,
    written: &mut u64,
) -> Result<Seen, Problem> {
    let mut contents = Contents::open(file, entry)?;
    let (mut described, start) = npy::describe(&mut contents, name)?;
    let bytes = described.bytes();
    if start + bytes != entry.size {
        return Err(Refused::new(format!(
            "the array {} has {} bytes, and as its header says it takes {}",
            quoted(name),
            entry.size,
            start + bytes
        ))
        .into());
    }
    described.array.offset = match output {
        Some(_) => *written,
        None => entry.stored.start + start,
    };
    *written += bytes;
    let seen = arrays::see(&mut contents, described, output.map(|output| &mut *output.data as _))?;
    // the end comes with the checksum
    io::copy(&mut contents, &mut io::sink())?;
    Ok(seen)
}
