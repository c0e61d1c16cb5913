//! Zip archives of strangers: the directory is held to limits before anything is believed, and an entry
//! is read as a stream that is as long as the directory says or fails.
//! <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>

mod contents;
mod directory;
mod pack;

pub use contents::Contents;
pub use directory::{Entry, Rules, bytes_at, entries};
pub use pack::Pack;

/// Why an archive cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What is wrong with it: a sentence that names the entry and says what to do.
    #[error("{0}")]
    Refused(String),
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// A name out of a stranger's file, short and on one line.
pub fn quoted(name: &str) -> String {
    let line: String =
        name.chars().map(|c| if c.is_control() { ' ' } else { c }).take(80).collect();
    format!("`{line}`")
}
