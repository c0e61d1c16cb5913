//! The contents of an entry, never more of them than a limit.

use std::io::{Read, Seek};

use archive::{Entry, bytes_at, quoted};
use miniz_oxide::inflate::decompress_to_vec_with_limit;

use crate::{Problem, Refused};

/// The most that the contents of a compressed entry may be: code and tables, never tensors.
pub(crate) const MAX_INFLATED: u64 = 16 << 20;

/// Likewise of one that is stored as it is.
const MAX_STORED: u64 = 64 << 20;

/// What is in an entry that holds no tensor.
pub(crate) fn contents(file: &mut (impl Read + Seek), entry: &Entry) -> Result<Vec<u8>, Problem> {
    let name = quoted(&entry.name);
    let most = if entry.deflated { MAX_INFLATED } else { MAX_STORED };
    let length = entry.stored.end - entry.stored.start;
    if entry.size > most || length > most {
        let how = if entry.deflated { "compressed entry" } else { "entry without tensors" };
        return Err(Problem::Refused(Refused::new(format!(
            "the entry {name} unpacks to {} bytes; a {how} may have {most}",
            entry.size
        ))));
    }
    let stored = bytes_at(file, entry.stored.start, length)?;
    if !entry.deflated {
        return Ok(stored);
    }
    // the limit is what the directory says, so that a false size is found without unpacking more
    let size = entry.size as usize;
    let inflated =
        decompress_to_vec_with_limit(&stored, size).ok().filter(|contents| contents.len() == size);
    inflated.ok_or_else(|| {
        Problem::Refused(Refused::new(format!(
            "the entry {name} is damaged, or unpacks to another length than it says; save the model \
             again with torch.jit.save"
        )))
    })
}
