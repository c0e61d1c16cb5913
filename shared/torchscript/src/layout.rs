//! What `torch.jit.save` writes: one folder with `version`, `data.pkl`, `constants.pkl`, code, and the
//! tensors as they are. <https://pytorch.org/docs/stable/jit.html>

use std::collections::HashSet;

use crate::{
    Refused, archive,
    archive::Entry,
    inflate::{MAX_INFLATED, contents},
    pickle, quoted,
};

/// What all compressed entries may unpack to together, in bytes.
const MAX_TOTAL: usize = 4 * MAX_INFLATED;

/// What an entry is, by its path below the archive's folder.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `data.pkl`, `constants.pkl`, `….debug_pkl`
    Pickle,
    /// `code/….py`
    Code,
    /// `data/0`, `constants/0`
    Tensor,
    /// `version`, `byteorder` and the like; `extra/…`
    Note,
}

/// Checks that a file is TorchScript, within limits, and that its pickles do nothing but describe it.
///
/// # Errors
/// A sentence that names the entry and says what to do.
pub fn check(file: &[u8]) -> Result<(), Refused> {
    let entries = archive::entries(file)?;
    let top = entries.first().and_then(|entry| entry.name.split_once('/')).map(|(top, _)| top);
    let Some(top) = top else {
        return Err(Refused::new("not a TorchScript file: its entries lie in no folder"));
    };
    let mut names = HashSet::new();
    for entry in &entries {
        if !names.insert(entry.name) {
            let name = quoted(entry.name);
            return Err(Refused::new(format!("the archive has two entries called {name}")));
        }
    }
    let has = |path: &str| names.contains(format!("{top}/{path}").as_str());
    let code =
        entries.iter().any(|entry| below(entry, top).is_some_and(|p| p.starts_with("code/")));
    if !has("data.pkl") || !has("constants.pkl") || !code {
        return Err(Refused::new(
            "not a TorchScript file, but perhaps weights saved with torch.save: it has no code; save \
             torch.jit.script(model) or torch.jit.trace(model, example) with torch.jit.save, or export \
             the model as ONNX",
        ));
    }
    let mut left = MAX_TOTAL;
    for entry in &entries {
        check_entry(entry, top, &mut left)?;
    }
    Ok(())
}

fn check_entry(entry: &Entry<'_>, top: &str, left: &mut usize) -> Result<(), Refused> {
    let name = quoted(entry.name);
    let Some(kind) = below(entry, top).and_then(kind) else {
        return Err(Refused::new(format!(
            "the entry {name} is none that torch.jit.save writes; remove it"
        )));
    };
    if kind == Kind::Tensor {
        if entry.deflated {
            return Err(Refused::new(format!(
                "the tensor {name} is compressed, which torch.jit.save does not do; save the model again"
            )));
        }
        return Ok(());
    }
    if entry.deflated {
        *left = left.checked_sub(entry.size).ok_or_else(|| {
            Refused::new(format!(
                "the compressed entries, up to {name}, unpack to more than {MAX_TOTAL} bytes together"
            ))
        })?;
    }
    let contents = contents(entry)?;
    if contents.starts_with(b"PK\x03\x04") || contents.starts_with(b"PK\x05\x06") {
        return Err(Refused::new(format!("the entry {name} is an archive itself; remove it")));
    }
    match kind {
        Kind::Pickle => pickle::check(&contents)
            .map_err(|problem| Refused::new(format!("the entry {name} {problem}"))),
        Kind::Code => std::str::from_utf8(&contents)
            .map(drop)
            .map_err(|_| Refused::new(format!("the code {name} is not text"))),
        Kind::Tensor | Kind::Note => Ok(()),
    }
}

/// The path below the archive's folder.
fn below<'a>(entry: &Entry<'a>, top: &str) -> Option<&'a str> {
    entry.name.strip_prefix(top)?.strip_prefix('/')
}

fn kind(path: &str) -> Option<Kind> {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match path {
        "data.pkl" | "constants.pkl" => Some(Kind::Pickle),
        "version"
        | "byteorder"
        | "attributes.pkl"
        | ".format_version"
        | ".storage_alignment"
        | ".data/serialization_id" => {
            Some(if path.ends_with(".pkl") { Kind::Pickle } else { Kind::Note })
        }
        _ => match path.split_once('/')? {
            ("code", path) if path.ends_with(".py") => Some(Kind::Code),
            ("code", path) if path.ends_with(".debug_pkl") => Some(Kind::Pickle),
            ("data" | "constants", path) if number(path) => Some(Kind::Tensor),
            ("extra", _) => Some(Kind::Note),
            _ => None,
        },
    }
}
