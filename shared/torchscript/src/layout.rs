//! What `torch.jit.save` writes: one folder with `version`, `data.pkl`, `constants.pkl`, code, and the
//! tensors as they are. <https://pytorch.org/docs/stable/jit.html>

use std::{
    collections::HashSet,
    io::{self, Read, Seek},
};

use archive::{Entry, Rules, quoted};

use crate::{
    Problem, Refused,
    inflate::{MAX_INFLATED, contents},
    pickle,
};

/// A large network has some thousand entries.
const RULES: Rules = Rules {
    what: "a TorchScript file",
    remedy: "save the model again with torch.jit.save",
    max_entries: 20_000,
    max_directory: 8 << 20,
};

/// What all compressed entries may unpack to together, in bytes.
const MAX_TOTAL: u64 = 4 * MAX_INFLATED;

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
/// Its tensors are not read, and little of the rest is in memory at a time.
///
/// # Errors
/// Outside, that the file cannot be read; inside, a sentence that names the entry and says what to do.
pub fn check(file: &mut (impl Read + Seek)) -> io::Result<Result<(), Refused>> {
    match look(file) {
        Ok(()) => Ok(Ok(())),
        Err(Problem::Refused(refused)) => Ok(Err(refused)),
        Err(Problem::Io(error)) => Err(error),
    }
}

fn look(file: &mut (impl Read + Seek)) -> Result<(), Problem> {
    let entries = archive::entries(file, &RULES)?;
    let top = entries.first().and_then(|entry| entry.name.split_once('/')).map(|(top, _)| top);
    let top =
        top.ok_or_else(|| Refused::new("not a TorchScript file: its entries lie in no folder"))?;
    let mut names = HashSet::new();
    for entry in &entries {
        if !names.insert(entry.name.as_str()) {
            let name = quoted(&entry.name);
            return Err(Refused::new(format!("the archive has two entries called {name}")).into());
        }
    }
    let has = |path: &str| names.contains(format!("{top}/{path}").as_str());
    let code =
        entries.iter().any(|entry| below(entry, top).is_some_and(|p| p.starts_with("code/")));
    if !has("data.pkl") || !has("constants.pkl") || !code {
        return Err(Problem::Refused(Refused::new(
            "not a TorchScript file, but perhaps weights saved with torch.save: it has no code; save \
             torch.jit.script(model) or torch.jit.trace(model, example) with torch.jit.save, or export \
             the model as ONNX",
        )));
    }
    let mut left = MAX_TOTAL;
    for entry in &entries {
        check_entry(file, entry, top, &mut left)?;
    }
    Ok(())
}

fn check_entry(
    file: &mut (impl Read + Seek),
    entry: &Entry,
    top: &str,
    left: &mut u64,
) -> Result<(), Problem> {
    let name = quoted(&entry.name);
    let kind = below(entry, top).and_then(kind).ok_or_else(|| {
        Refused::new(format!("the entry {name} is none that torch.jit.save writes; remove it"))
    })?;
    if kind == Kind::Tensor {
        if entry.deflated {
            return Err(Problem::Refused(Refused::new(format!(
                "the tensor {name} is compressed, which torch.jit.save does not do; save the model again"
            ))));
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
    let contents = contents(file, entry)?;
    if contents.starts_with(b"PK\x03\x04") || contents.starts_with(b"PK\x05\x06") {
        return Err(
            Refused::new(format!("the entry {name} is an archive itself; remove it")).into()
        );
    }
    match kind {
        Kind::Pickle => pickle::check(&contents)
            .map_err(|problem| Refused::new(format!("the entry {name} {problem}")))?,
        Kind::Code => {
            std::str::from_utf8(&contents)
                .map_err(|_| Refused::new(format!("the code {name} is not text")))?;
        }
        Kind::Tensor | Kind::Note => {}
    }
    Ok(())
}

/// The path below the archive's folder.
fn below<'a>(entry: &'a Entry, top: &str) -> Option<&'a str> {
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
