//! NumPy's file of one array; nothing is copied, its rows are where they are.
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>

use std::io::{Read, Seek};

use archive::quoted;
use protocol::{
    dataset::{Content, File},
    tensor::Dtype,
};

use crate::{
    Problem, Refused,
    arrays::{self, Described},
};

/// The longest header, in bytes.
const MAX_HEADER: usize = 64 << 10;

/// What the only array is called.
const NAME: &str = "x";

pub(crate) fn read(file: &mut (impl Read + Seek), size: u64) -> Result<Content, Problem> {
    let (mut described, start) = describe(file, NAME)?;
    let expected = start + described.bytes();
    if size != expected {
        return Err(Refused::new(format!(
            "the file has {size} bytes, and an array as its header says takes {expected}"
        ))
        .into());
    }
    described.array.offset = start;
    let seen = arrays::see(file, described, None)?;
    Ok(arrays::content(vec![seen], File::Uploaded)?)
}

/// What a file of one array says of it, and how long that header is. Goes on behind it.
pub(crate) fn describe(file: &mut impl Read, name: &str) -> Result<(Described, u64), Problem> {
    let damaged = |what: &str| {
        Refused::new(format!(
            "the array {} is no NumPy file: {what}; save it with numpy.save",
            quoted(name)
        ))
    };
    let mut magic = [0; 8];
    let mut take = |bytes: &mut [u8]| match file.read_exact(bytes) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Err(Problem::from(damaged("it ends early")))
        }
        read => read.map_err(Problem::from),
    };
    take(&mut magic)?;
    let [0x93, b'N', b'U', b'M', b'P', b'Y', major, _] = magic else {
        return Err(damaged("it does not begin as one").into());
    };
    let (length, prefix) = if major == 1 {
        let mut length = [0; 2];
        take(&mut length)?;
        (usize::from(u16::from_le_bytes(length)), 10)
    } else {
        let mut length = [0; 4];
        take(&mut length)?;
        (u32::from_le_bytes(length) as usize, 12)
    };
    if !(1..=3).contains(&major) || length > MAX_HEADER {
        return Err(damaged("its version or the length of its header is unknown").into());
    }
    let mut header = vec![0; length];
    take(&mut header)?;
    let header = std::str::from_utf8(&header).map_err(|_| damaged("its header is not text"))?;
    let described = parse(header, name, damaged)?;
    Ok((described, (prefix + length) as u64))
}

/// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
fn parse(
    header: &str,
    name: &str,
    damaged: impl Fn(&str) -> Refused,
) -> Result<Described, Refused> {
    let value = |key: &str| {
        let (_, rest) = header.split_once(&format!("'{key}'"))?;
        Some(rest.trim_start().strip_prefix(':')?.trim_start())
    };
    let (Some(descr), Some(order), Some(shape)) =
        (value("descr"), value("fortran_order"), value("shape"))
    else {
        return Err(damaged("its header is incomplete"));
    };
    let Some((descr, _)) = descr.strip_prefix('\'').and_then(|rest| rest.split_once('\'')) else {
        return Err(Refused::new(format!(
            "the array {} has records; save an array for each of their fields",
            quoted(name)
        )));
    };
    let dtype = dtype(descr).map_err(|why| {
        Refused::new(format!("the array {} has the type {}: {why}", quoted(name), quoted(descr)))
    })?;
    let inner = shape.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    let (shape, _) = inner.ok_or_else(|| damaged("its shape cannot be read"))?;
    let sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
    let shape: Vec<usize> = sizes
        // what Python 2 wrote
        .map(|size| size.trim_end_matches('L').parse())
        .collect::<Result<_, _>>()
        .map_err(|_| damaged("its shape cannot be read"))?;
    if !order.starts_with("False") && shape.len() > 1 {
        return Err(Refused::new(format!(
            "the array {} is stored by columns (Fortran order), not by rows; save \
             numpy.ascontiguousarray of it",
            quoted(name)
        )));
    }
    Described::new(name, dtype, &shape)
}

fn dtype(descr: &str) -> Result<Dtype, &'static str> {
    let (order, kind) = descr.split_at_checked(1).ok_or("it has none")?;
    let dtype = match kind {
        "b1" => Dtype::Bool,
        "i1" => Dtype::Int8,
        "i2" => Dtype::Int16,
        "i4" => Dtype::Int32,
        "i8" => Dtype::Int64,
        "u1" => Dtype::Uint8,
        "u2" => Dtype::Uint16,
        "u4" => Dtype::Uint32,
        "u8" => Dtype::Uint64,
        "f2" => Dtype::Float16,
        "f4" => Dtype::Float32,
        "f8" => Dtype::Float64,
        "O" => return Err("Python objects are never unpickled; save numbers"),
        _ => return Err("only numbers and booleans are accepted; convert it with astype"),
    };
    match order {
        "<" | "|" => Ok(dtype),
        _ if dtype.size() == 1 => Ok(dtype),
        _ => Err("its bytes are in the order of other machines; convert it with astype"),
    }
}
