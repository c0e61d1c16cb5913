//! Reading the files of datasets, whatever is in them: what their columns and arrays are, and where
//! each row is found again without reading the rest.
//!
//! A file is read from its start to its end, some formats twice, and never held: a row, a buffer and
//! some statistics are all that is in memory, whatever the file says of itself.

mod arrays;
mod column;
mod csv;
mod images;
mod labels;
mod ndjson;
mod npy;
mod npz;
mod safetensors;
mod statistics;

use std::io::{self, Read, Seek, Write};

use archive::quoted;
use protocol::dataset::{Content, Format, MAX_BYTES};

/// The longest row of a text file, in bytes.
const MAX_LINE: usize = 4 << 20;

/// The longest name of a column or array, in bytes.
const MAX_NAME: usize = 256;

/// How much of a file is read at a time, in bytes.
const BUFFER: usize = 1 << 18;

/// Why a file is not accepted: a sentence that says where it is wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(String);

impl Refused {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// Why reading ended early.
enum Problem {
    /// What was found.
    Refused(Refused),
    /// The file cannot be read, or what is made of it cannot be written.
    Io(io::Error),
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<archive::Error> for Problem {
    fn from(error: archive::Error) -> Self {
        match error {
            archive::Error::Refused(why) => Self::Refused(Refused(why)),
            archive::Error::Io(error) => Self::Io(error),
        }
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Where the files go that some formats need beside or instead of the one that came.
pub struct Output<'a> {
    /// The rows in a form in which they can be found; empty if the file itself is that.
    pub data: &'a mut dyn Write,
    /// The offset of each row and of the end, where rows differ in length.
    pub index: &'a mut dyn Write,
}

/// Reads a file of `size` bytes; the inner error says why it is not accepted.
///
/// # Errors
/// When the file cannot be read or the output not be written.
pub fn read(
    file: &mut (impl Read + Seek),
    size: u64,
    format: Format,
    output: &mut Output<'_>,
) -> io::Result<Result<Content, Refused>> {
    let read = match format {
        _ if size == 0 => Err(Refused::new("the file is empty").into()),
        _ if size > MAX_BYTES => Err(Refused::new(format!(
            "{size} bytes are over the limit of {MAX_BYTES} for a dataset; split it"
        ))
        .into()),
        Format::Csv => csv::read(file, output),
        Format::Ndjson => ndjson::read(file, output),
        Format::Npy => npy::read(file, size),
        Format::Npz => npz::read(file, output),
        Format::Safetensors => safetensors::read(file, size),
        Format::Images => images::read(file, output),
    };
    match read {
        Ok(content) => Ok(Ok(content)),
        Err(Problem::Refused(refused)) => Ok(Err(refused)),
        Err(Problem::Io(error)) => Err(error),
    }
}

/// Whether a name of a column or array can be kept.
fn check_name(name: &str, what: &str) -> Result<(), Refused> {
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Refused::new(format!(
            "{what} is called {}; a name has 1 to {MAX_NAME} bytes and no control characters",
            quoted(name)
        )));
    }
    Ok(())
}
