//! The contents of an entry, never more of them than a limit.

use std::borrow::Cow;

use miniz_oxide::inflate::decompress_to_vec_with_limit;

use crate::{Refused, archive::Entry, quoted};

/// The most that the contents of a compressed entry may be: code and tables, never tensors.
pub(crate) const MAX_INFLATED: usize = 16 << 20;

/// What is in the entry.
pub(crate) fn contents<'a>(entry: &Entry<'a>) -> Result<Cow<'a, [u8]>, Refused> {
    if !entry.deflated {
        return Ok(Cow::Borrowed(entry.stored));
    }
    let name = quoted(entry.name);
    if entry.size > MAX_INFLATED {
        return Err(Refused::new(format!(
            "the entry {name} unpacks to {} bytes; a compressed entry may have {MAX_INFLATED}",
            entry.size
        )));
    }
    // the limit is what the directory says, so that a false size is found without unpacking more
    let inflated = decompress_to_vec_with_limit(entry.stored, entry.size)
        .ok()
        .filter(|contents| contents.len() == entry.size);
    inflated.map(Cow::Owned).ok_or_else(|| {
        Refused::new(format!(
            "the entry {name} is damaged, or unpacks to another length than it says; save the model \
             again with torch.jit.save"
        ))
    })
}
