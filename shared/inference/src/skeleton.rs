//! A model file without its weights: what can be checked of a file of any size in little memory. Only
//! what is kept is read; the stored numbers of large initializers are passed over.
//! <https://protobuf.dev/programming-guides/encoding/>

use std::{
    collections::HashMap,
    io::{self, BufReader, Read, Seek, SeekFrom},
};

use crate::Refused;

/// Stored numbers of an initializer up to so many bytes are kept: shapes, axes and the like, whose
/// values shapes depend on.
const KEPT: u64 = 64 << 10;

/// What the rest of a file may be, in bytes.
const MAX: usize = 32 << 20;

/// Fields of `ModelProto`, `GraphProto` and `TensorProto`.
/// <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>
const GRAPH: u64 = 7;
const INITIALIZER: u64 = 5;
const STORED: [u64; 3] = [4, 9, 10];

/// What is left of a file.
pub(crate) struct Skeleton {
    /// An ONNX file whose large initializers hold no numbers.
    pub(crate) bytes: Vec<u8>,
    /// The numbers that were left out, by the initializer's place in the graph.
    pub(crate) omitted: Omitted,
}

/// Where numbers lie in the file, by the initializer's place in the graph.
pub(crate) type Omitted = HashMap<usize, Stored>;

/// Where an initializer's numbers lie in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    at: u64,
    /// Of the numbers, in bytes.
    pub(crate) length: u64,
}

/// Why there is no skeleton.
#[derive(Debug)]
pub(crate) enum Problem {
    /// Of the bytes.
    Refused(Refused),
    /// The file cannot be read.
    Io(io::Error),
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// Reads a file of `size` bytes.
pub(crate) fn read(file: &mut (impl Read + Seek), size: u64) -> Result<Skeleton, Problem> {
    file.seek(SeekFrom::Start(0))?;
    let mut walk =
        Walk { file: BufReader::new(file), at: 0, omitted: Omitted::new(), initializers: 0 };
    let bytes = walk.model(size)?;
    Ok(Skeleton { bytes, omitted: walk.omitted })
}

/// Gives `look` the bytes of the numbers at `stored`, a piece at a time, until it says that it has
/// seen enough. Pieces are multiples of 8 bytes, the last one apart.
pub(crate) fn numbers(
    file: &mut (impl Read + Seek),
    stored: Stored,
    mut look: impl FnMut(&[u8]) -> bool,
) -> io::Result<()> {
    file.seek(SeekFrom::Start(stored.at))?;
    let mut piece = vec![0; 1 << 20];
    let mut left = stored.length;
    while left > 0 {
        let now = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        file.read_exact(&mut piece[..now])?;
        if look(&piece[..now]) {
            return Ok(());
        }
        left -= now as u64;
    }
    Ok(())
}

struct Walk<R> {
    file: BufReader<R>,
    at: u64,
    omitted: Omitted,
    /// How many there were so far.
    initializers: usize,
}

/// A field's tag, and where its content ends if it has a length.
struct Field {
    tag: u64,
    end: Option<u64>,
}

impl<R: Read + Seek> Walk<R> {
    fn model(&mut self, end: u64) -> Result<Vec<u8>, Problem> {
        let mut out = Vec::new();
        while let Some(field) = self.field(end, &mut out)? {
            let Some(end) = field.end else { continue };
            if field.tag >> 3 == GRAPH {
                let graph = self.graph(end)?;
                embed(&mut out, field.tag, &graph)?;
            } else {
                self.keep(field.tag, end, &mut out)?;
            }
        }
        Ok(out)
    }

    fn graph(&mut self, end: u64) -> Result<Vec<u8>, Problem> {
        let mut out = Vec::new();
        while let Some(field) = self.field(end, &mut out)? {
            let Some(end) = field.end else { continue };
            if field.tag >> 3 == INITIALIZER {
                let tensor = self.tensor(end)?;
                embed(&mut out, field.tag, &tensor)?;
                self.initializers += 1;
            } else {
                self.keep(field.tag, end, &mut out)?;
            }
        }
        Ok(out)
    }

    fn tensor(&mut self, end: u64) -> Result<Vec<u8>, Problem> {
        let mut out = Vec::new();
        while let Some(field) = self.field(end, &mut out)? {
            let Some(end) = field.end else { continue };
            let length = end - self.at;
            if STORED.contains(&(field.tag >> 3)) && length > KEPT {
                let stored = Stored { at: self.at, length };
                if self.omitted.insert(self.initializers, stored).is_some() {
                    return Err(damaged("an initializer stores its numbers twice").into());
                }
                self.file.seek_relative(i64::try_from(length).map_err(|_| truncated())?)?;
                self.at = end;
            } else {
                self.keep(field.tag, end, &mut out)?;
            }
        }
        Ok(out)
    }

    /// The next field before `end`; one without a length is copied whole.
    fn field(&mut self, end: u64, out: &mut Vec<u8>) -> Result<Option<Field>, Problem> {
        if self.at == end {
            return Ok(None);
        }
        room(out, 20)?;
        let tag = self.varint(end)?;
        if tag >> 3 == 0 {
            return Err(damaged("a field has the number 0").into());
        }
        let fixed = match tag & 7 {
            0 => {
                let value = self.varint(end)?;
                put_varint(out, tag);
                put_varint(out, value);
                return Ok(Some(Field { tag, end: None }));
            }
            1 => 8,
            5 => 4,
            2 => {
                let length = self.varint(end)?;
                let stop = self.at.checked_add(length).filter(|stop| *stop <= end);
                return Ok(Some(Field { tag, end: Some(stop.ok_or_else(truncated)?) }));
            }
            _ => return Err(damaged("a field is of no type that ONNX has").into()),
        };
        put_varint(out, tag);
        self.copy(fixed, end, out)?;
        Ok(Some(Field { tag, end: None }))
    }

    /// Copies the field of that tag up to `end`.
    fn keep(&mut self, tag: u64, end: u64, out: &mut Vec<u8>) -> Result<(), Problem> {
        let length = end - self.at;
        put_varint(out, tag);
        put_varint(out, length);
        self.copy(length, end, out)
    }

    fn copy(&mut self, length: u64, end: u64, out: &mut Vec<u8>) -> Result<(), Problem> {
        let stop = self.at.checked_add(length).filter(|stop| *stop <= end).ok_or_else(truncated)?;
        room(out, length)?;
        let start = out.len();
        out.resize(start + length as usize, 0);
        self.file.read_exact(&mut out[start..])?;
        self.at = stop;
        Ok(())
    }

    fn varint(&mut self, end: u64) -> Result<u64, Problem> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            if self.at == end {
                return Err(truncated().into());
            }
            let mut byte = [0];
            self.file.read_exact(&mut byte)?;
            self.at += 1;
            value |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(damaged("a number is longer than 64 bits").into())
    }
}

/// Writes a field that holds `content`.
fn embed(out: &mut Vec<u8>, tag: u64, content: &[u8]) -> Result<(), Refused> {
    room(out, content.len() as u64)?;
    put_varint(out, tag);
    put_varint(out, content.len() as u64);
    out.extend_from_slice(content);
    Ok(())
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Whether so many bytes more may be kept.
fn room(out: &[u8], more: u64) -> Result<(), Refused> {
    let length = (out.len() as u64).saturating_add(more);
    if length <= MAX as u64 {
        return Ok(());
    }
    Err(Refused::new(format!(
        "the model takes more than {} MB beside its weights; store weights as initializers with raw \
         data, as onnx.save does, and not in nodes or as lists of integers",
        MAX >> 20
    )))
}

fn truncated() -> Refused {
    damaged("it ends before what it announces")
}

fn damaged(what: &str) -> Refused {
    Refused::new(format!(
        "not an ONNX model, or a truncated or damaged one: {what}; send it again, and check that \
         `onnx.checker.check_model` accepts it"
    ))
}
