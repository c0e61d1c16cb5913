//! Results as NumPy's arrays: for each output one with a row for each input, and which of them there
//! are. <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>

use anyhow::Result;
use archive::Pack;
use protocol::{
    rest::batch::Item,
    tensor::{Dtype, Tensor},
};

use super::values::Values;
use crate::exit::usage;

/// Which rows are results.
const OK: &str = "ok";

/// What is before the data has a length that this divides.
const ALIGNMENT: usize = 64;

/// The outputs are kept until all are there: an array begins with its length.
pub(super) struct Npz {
    ok: Vec<u8>,
    arrays: Option<Vec<Array>>,
}

/// All rows of an output.
struct Array {
    name: String,
    dtype: Dtype,
    /// Of a row.
    shape: Vec<usize>,
    data: Vec<u8>,
}

impl Npz {
    /// For a batch of `total` inputs.
    pub(super) fn new(total: u64) -> Self {
        Self { ok: vec![0; usize::try_from(total).unwrap_or(0)], arrays: None }
    }

    /// Takes a result.
    pub(super) fn add(&mut self, item: &Item) -> Result<()> {
        let Some(result) = &item.result else { return Ok(()) };
        let Values::Tensors(tensors) = Values::read(result)? else {
            let message = "the results are words, and npz has numbers only; take --format csv, or run \
                           the batch with --raw";
            return Err(usage(message));
        };
        let index = usize::try_from(item.index)?;
        let total = self.ok.len();
        let arrays = self.arrays.get_or_insert_with(|| {
            tensors.iter().map(|(name, tensor)| Array::new(name, tensor, total)).collect()
        });
        let fits = arrays.len() == tensors.len()
            && arrays.iter_mut().zip(&tensors).all(|(array, (_, tensor))| array.put(index, tensor));
        let Some(ok) = self.ok.get_mut(index).filter(|_| fits) else {
            let message = format!(
                "input {index} has a result of another shape than those before it, and arrays have one; \
                 take --format ndjson"
            );
            return Err(usage(message));
        };
        *ok = 1;
        Ok(())
    }

    /// The archive.
    pub(super) fn finish(self, out: &mut Vec<u8>) -> Result<()> {
        let total = self.ok.len();
        let mut pack = Pack::new(out);
        for array in self.arrays.unwrap_or_default() {
            // what is called as ours would take its place
            let name = if array.name == OK { "output_ok" } else { &array.name };
            let shape: Vec<usize> = [total].into_iter().chain(array.shape).collect();
            pack.add(&format!("{name}.npy"), &npy(array.dtype, &shape, &array.data))?;
        }
        pack.add(&format!("{OK}.npy"), &npy(Dtype::Bool, &[total], &self.ok))?;
        pack.finish()?;
        Ok(())
    }
}

impl Array {
    /// Without any row: all are missing.
    fn new(name: &str, like: &Tensor, total: usize) -> Self {
        let missing: Vec<u8> = match like.dtype {
            Dtype::Float16 => 0x7e00_u16.to_le_bytes().to_vec(),
            Dtype::Float32 => f32::NAN.to_le_bytes().to_vec(),
            Dtype::Float64 => f64::NAN.to_le_bytes().to_vec(),
            dtype => vec![0; dtype.size()],
        };
        let elements = like.data.len() / like.dtype.size();
        let data = missing.repeat(elements * total);
        Self { name: name.to_owned(), dtype: like.dtype, shape: row(&like.shape).to_vec(), data }
    }

    /// Puts the row of an input into its place; whether it has one.
    fn put(&mut self, index: usize, tensor: &Tensor) -> bool {
        let length = tensor.data.len();
        let place = self.data.get_mut(index * length..(index + 1) * length);
        match place {
            Some(place) if tensor.dtype == self.dtype && row(&tensor.shape) == self.shape => {
                place.copy_from_slice(&tensor.data);
                true
            }
            _ => false,
        }
    }
}

/// The shape of an input's row: without the batch of one that the model needs.
fn row(shape: &[usize]) -> &[usize] {
    match shape {
        [1, row @ ..] => row,
        shape => shape,
    }
}

/// A file of one array.
fn npy(dtype: Dtype, shape: &[usize], data: &[u8]) -> Vec<u8> {
    let descr = match dtype {
        Dtype::Bool => "|b1",
        Dtype::Int8 => "|i1",
        Dtype::Uint8 => "|u1",
        Dtype::Int16 => "<i2",
        Dtype::Int32 => "<i4",
        Dtype::Int64 => "<i8",
        Dtype::Uint16 => "<u2",
        Dtype::Uint32 => "<u4",
        Dtype::Uint64 => "<u8",
        Dtype::Float16 => "<f2",
        Dtype::Float32 => "<f4",
        Dtype::Float64 => "<f8",
    };
    let shape: String = shape.iter().map(|size| format!("{size},")).collect();
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    // magic, version and the header's own length have 10 bytes, and a newline ends it
    let length = (10 + header.len() + 1).next_multiple_of(ALIGNMENT) - 10;
    header.push_str(&" ".repeat(length - header.len() - 1));
    header.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((length as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(data);
    file
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::io::{Cursor, Read};

    use archive::{Contents, Rules, entries};

    use super::*;

    fn packed(lines: &[&str]) -> Result<Vec<(String, Vec<u8>)>> {
        let (mut npz, mut out) = (Npz::new(3), Vec::new());
        for line in lines {
            npz.add(&serde_json::from_str(line).unwrap())?;
        }
        npz.finish(&mut out)?;
        let mut file = Cursor::new(out);
        let rules = Rules { what: "", remedy: "", max_entries: 9, max_directory: 1 << 10 };
        let entries = entries(&mut file, &rules).unwrap();
        let unpack = |entry| {
            let mut bytes = Vec::new();
            Contents::open(&mut file, entry).unwrap().read_to_end(&mut bytes).unwrap();
            (entry.name.clone(), bytes)
        };
        Ok(entries.iter().map(unpack).collect())
    }

    #[test]
    fn rows_are_stacked_and_missing_ones_are_not_numbers() {
        let failed = r#"{"index":0,"status":"failed"}"#;
        let one = r#"{"index":1,"status":"completed","result":{"data":[0.5,2],"shape":[1,2]}}"#;
        let [output, ok] = packed(&[failed, one]).unwrap().try_into().unwrap();
        assert_eq!(output.0, "output.npy");
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3,2,), }";
        assert!(output.1.starts_with(b"\x93NUMPY\x01\x00\x76\x00"));
        assert!(output.1[10..].starts_with(header.as_bytes()));
        let numbers: Vec<f32> = output.1[128..]
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect();
        assert_eq!(numbers.len(), 6);
        assert_eq!(numbers[2..4], [0.5, 2.0]);
        assert!(numbers[..2].iter().chain(&numbers[4..]).all(|number| number.is_nan()));
        assert_eq!((ok.0.as_str(), &ok.1[128..]), ("ok.npy", &[0, 1, 0][..]));
    }

    #[test]
    fn results_that_are_no_arrays_are_explained() {
        let words = r#"{"index":0,"status":"completed","result":{"label":"cat"}}"#;
        assert!(packed(&[words]).unwrap_err().to_string().contains("--raw"));
        let one = r#"{"index":0,"status":"completed","result":{"data":[1],"shape":[1]}}"#;
        let two = r#"{"index":1,"status":"completed","result":{"data":[1,2],"shape":[2]}}"#;
        assert!(packed(&[one, two]).unwrap_err().to_string().contains("input 1"));
    }
}
