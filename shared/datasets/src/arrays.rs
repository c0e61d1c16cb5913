//! Arrays of numbers as files have them: held to limits, and read through for what is in them.

use std::io::{Read, Write};

use archive::quoted;
use half::f16;
use protocol::{
    dataset::{Array, Content, Field, File, LABELS, Label, Layout, MAX_ROWS, Values},
    tensor::{Dtype, Tensor},
};

use crate::{BUFFER, Problem, Refused, check_name, labels::Labels, statistics::Numbers};

/// The largest row, in bytes: what the tensors of one inference may take.
const MAX_ROW: u64 = 64 << 20;

/// The most arrays of a file.
pub(crate) const MAX_ARRAYS: usize = 256;

/// An array as its file describes it.
pub(crate) struct Described {
    /// An array of [`Array::shape`] for each row.
    pub(crate) array: Array,
    pub(crate) rows: u64,
}

impl Described {
    /// Holds what a file says of an array to the limits.
    pub(crate) fn new(name: &str, dtype: Dtype, shape: &[usize]) -> Result<Self, Refused> {
        check_name(name, "an array")?;
        let refuse = |what: &str| Err(Refused::new(format!("the array {} {what}", quoted(name))));
        let Some((rows, shape)) = shape.split_first() else {
            return refuse("is a single value; its first dimension must be the rows");
        };
        let rows = *rows as u64;
        if rows == 0 || rows > MAX_ROWS {
            return refuse(&format!("has {rows} rows; a dataset has 1 to {MAX_ROWS}"));
        }
        let array = Array { name: name.to_owned(), dtype, shape: shape.to_vec(), offset: 0 };
        match array.row_bytes() {
            Some(1..=MAX_ROW) => Ok(Self { array, rows }),
            Some(0) => refuse("has rows without values"),
            bytes => refuse(&format!(
                "has rows of {} bytes; at most {MAX_ROW} are allowed",
                bytes.map_or_else(|| "too many".to_owned(), |bytes| bytes.to_string())
            )),
        }
    }

    /// How long it is in the file, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        // both have limits whose product is far from the end of 64 bits
        self.rows * self.array.row_bytes().unwrap_or(MAX_ROW)
    }
}

/// An array that was read through.
pub(crate) struct Seen {
    pub(crate) array: Array,
    rows: u64,
    field: Field,
    labels: Option<Vec<Label>>,
}

/// Reads an array through to its end; a copy goes to `copy`.
pub(crate) fn see(
    file: &mut impl Read,
    described: Described,
    mut copy: Option<&mut dyn Write>,
) -> Result<Seen, Problem> {
    let Described { array, rows } = &described;
    let (dtype, name) = (array.dtype, &array.name);
    let per_row = Tensor::elements(&array.shape).unwrap_or(1) as u64;
    let counts_classes = is_label(array);
    let (mut numbers, mut classes) = (Numbers::default(), Labels::default());
    let mut buffer = vec![0; BUFFER];
    let mut values = Vec::with_capacity(BUFFER / dtype.size());
    let mut left = described.bytes();
    while left > 0 {
        let chunk = &mut buffer[..BUFFER.min(usize::try_from(left).unwrap_or(BUFFER))];
        fill(file, chunk)?.ok_or_else(|| {
            let row = (described.bytes() - left) / (per_row * dtype.size() as u64);
            Refused::new(format!("the file ends in the array {} near row {row}", quoted(name)))
        })?;
        if dtype == Dtype::Bool && chunk.iter().any(|byte| *byte > 1) {
            let message = format!("the array {} has booleans that are not 0 or 1", quoted(name));
            return Err(Refused::new(message).into());
        }
        values.clear();
        decode(dtype, chunk, &mut values);
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let element = numbers.count() + at as u64;
            let (row, within, value) = (element / per_row, element % per_row, values[at]);
            return Err(Refused::new(format!(
                "the array {} has {value} in row {row} (element {within} of it, both from 0); only \
                 finite numbers are accepted",
                quoted(name)
            ))
            .into());
        }
        if counts_classes {
            values.iter().for_each(|value| classes.add_class(*value as i64));
        }
        numbers.add_all(&values);
        if let Some(copy) = &mut copy {
            copy.write_all(chunk)?;
        }
        left -= chunk.len() as u64;
    }
    let field = Field {
        name: name.clone(),
        dtype: dtype.name().to_owned(),
        shape: array.shape.clone(),
        statistics: numbers.shown(),
    };
    let labels = if counts_classes { classes.shown() } else { None };
    Ok(Seen { rows: *rows, field, labels, array: described.array })
}

/// What a file of these arrays holds.
pub(crate) fn content(seen: Vec<Seen>, file: File) -> Result<Content, Refused> {
    let Some(first) = seen.first() else { return Err(Refused::new("the file holds no array")) };
    let rows = first.rows;
    if let Some(other) = seen.iter().find(|other| other.rows != rows) {
        return Err(Refused::new(format!(
            "the array {} has {rows} rows and {} has {}; all arrays need as many",
            quoted(&first.array.name),
            quoted(&other.array.name),
            other.rows
        )));
    }
    let labels = seen.iter().find_map(|seen| seen.labels.clone());
    let (arrays, schema) = seen.into_iter().map(|seen| (seen.array, seen.field)).unzip();
    Ok(Content { rows, schema, labels, layout: Layout { file, arrays, values: Values::Arrays } })
}

/// Whether an array holds a class for each row.
fn is_label(array: &Array) -> bool {
    let whole = !matches!(array.dtype, Dtype::Float16 | Dtype::Float32 | Dtype::Float64);
    let one = array.shape.iter().all(|size| *size == 1);
    LABELS.contains(&array.name.as_str()) && whole && one
}

/// Fills a buffer; `None` when the file ends before.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> Result<Option<()>, Problem> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(Some(())),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Little-endian elements as numbers.
fn decode(dtype: Dtype, bytes: &[u8], values: &mut Vec<f64>) {
    macro_rules! decode {
        ($type:ty, $wide:expr) => {
            values.extend(bytes.chunks_exact(size_of::<$type>()).map(|bytes| {
                let mut element = [0; size_of::<$type>()];
                element.copy_from_slice(bytes);
                $wide(<$type>::from_le_bytes(element))
            }))
        };
    }
    match dtype {
        Dtype::Bool | Dtype::Uint8 => values.extend(bytes.iter().map(|byte| f64::from(*byte))),
        Dtype::Int8 => decode!(i8, f64::from),
        Dtype::Int16 => decode!(i16, f64::from),
        Dtype::Int32 => decode!(i32, f64::from),
        Dtype::Int64 => decode!(i64, |value| value as f64),
        Dtype::Uint16 => decode!(u16, f64::from),
        Dtype::Uint32 => decode!(u32, f64::from),
        Dtype::Uint64 => decode!(u64, |value| value as f64),
        Dtype::Float16 => decode!(f16, f16::to_f64),
        Dtype::Float32 => decode!(f32, f64::from),
        Dtype::Float64 => decode!(f64, |value: f64| value),
    }
}
