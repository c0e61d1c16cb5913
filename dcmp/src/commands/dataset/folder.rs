//! A folder of images becomes an archive on the way: the same archive each time, so that an interrupted
//! upload goes on.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
};

use anyhow::Result;
use archive::Pack;
use tempfile::NamedTempFile;

use crate::{exit::usage, parts::unreadable, progress};

/// What is taken of a folder.
const IMAGES: [&str; 4] = ["jpg", "jpeg", "png", "webp"];

/// Packs the images below a folder, by the order of their paths.
pub(super) fn pack(folder: &Path) -> Result<NamedTempFile> {
    let mut files = Vec::new();
    walk(folder, "", &mut files).map_err(|cause| unreadable(folder, &cause))?;
    if files.is_empty() {
        let message = format!("{} holds no .jpg, .png or .webp files", folder.display());
        return Err(usage(message));
    }
    files.sort();
    let target = NamedTempFile::new()?;
    let spinner = progress::spinner();
    spinner.set_message(format!("packing {} images", files.len()));
    let pack = || -> io::Result<()> {
        let mut pack = Pack::new(BufWriter::new(File::create(target.path())?));
        for path in &files {
            pack.add(path, &fs::read(folder.join(path))?)?;
        }
        pack.finish()?.flush()
    };
    pack().map_err(|cause| unreadable(folder, &cause))?;
    spinner.finish_and_clear();
    Ok(target)
}

/// The images below a folder, by their paths in it.
fn walk(folder: &Path, below: &str, files: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder.join(below))? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
        let path = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
        if entry.file_type()?.is_dir() {
            walk(folder, &path, files)?;
            continue;
        }
        let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        if extension.is_some_and(|extension| IMAGES.contains(&extension.as_str())) {
            files.push(path);
        }
    }
    Ok(())
}
