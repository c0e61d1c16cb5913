//! Rows of a dataset as the JSON that a customer would send as one input.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use protocol::{
    dataset::{Array, LABELS, Values},
    tensor::Dtype,
};
use serde_json::{Value, json, value::RawValue};

use super::{
    Dataset,
    stored::index_key,
    tensors::{get, read_rows},
};
use crate::{App, Error, Result};

/// The most rows at a time: their offsets take 8 bytes each.
const MAX_ROWS: usize = 100_000;

/// Rows of a dataset from `first` on, as long as they are not more than `max_rows` nor, together,
/// longer than `max_bytes`; one at least, if there is one. Each is what a customer would send as one
/// `input`: of a table an object by column, without the label; of images base64; of arrays a tensor of
/// one row, or several by name.
///
/// # Errors
/// `NotFound` when the dataset was deleted.
pub async fn read_values(
    app: &App,
    dataset: &Dataset,
    first: u64,
    max_rows: usize,
    max_bytes: usize,
) -> Result<Vec<Box<RawValue>>> {
    let left = usize::try_from(dataset.rows.saturating_sub(first)).unwrap_or(usize::MAX);
    let most = max_rows.min(left).min(MAX_ROWS);
    if most == 0 {
        return Ok(Vec::new());
    }
    match &dataset.layout.values {
        Values::Arrays => arrays(app, dataset, first, most, max_bytes).await,
        Values::Table(names) => table(app, dataset, names, first, most, max_bytes).await,
        Values::Lines => {
            let rows = indexed(app, dataset, first, most, max_bytes).await?;
            bounded(rows.iter().map(|line| raw(text(line)?.trim().to_owned())), max_bytes)
        }
        Values::Rows(names) => {
            let rows = indexed(app, dataset, first, most, max_bytes).await?;
            let names = keys(names);
            bounded(rows.iter().map(|line| object(&names, list(line)?)), max_bytes)
        }
        Values::Images => {
            let rows = indexed(app, dataset, first, most, max_bytes).await?;
            let image = |bytes: &Bytes| raw(format!("\"{}\"", STANDARD.encode(bytes)));
            bounded(rows.iter().map(image), max_bytes)
        }
    }
}

/// The rows that have room, one at least.
fn bounded(
    rows: impl Iterator<Item = Result<Box<RawValue>>>,
    max_bytes: usize,
) -> Result<Vec<Box<RawValue>>> {
    let (mut values, mut bytes) = (Vec::new(), 0);
    for value in rows {
        let value = value?;
        bytes += value.get().len();
        if bytes > max_bytes && !values.is_empty() {
            break;
        }
        values.push(value);
    }
    Ok(values)
}

/// How many rows of a length have room, one at least.
fn fitting(most: usize, row_bytes: u64, max_bytes: usize) -> u64 {
    (max_bytes as u64 / row_bytes.max(1)).clamp(1, most as u64)
}

/// What is stored of each row, by the index.
async fn indexed(
    app: &App,
    dataset: &Dataset,
    first: u64,
    most: usize,
    max_bytes: usize,
) -> Result<Vec<Bytes>> {
    let offsets = 8 * first..8 * (first + most as u64 + 1);
    let offsets = get(app, dataset, index_key(&dataset.id), offsets).await?;
    let offsets: Vec<u64> = offsets
        .chunks_exact(8)
        .filter_map(|bytes| Some(u64::from_le_bytes(*bytes.first_chunk()?)))
        .collect();
    let damaged = || Error::internal(format!("the index of {} is damaged", dataset.id));
    let start = *offsets.first().ok_or_else(damaged)?;
    let room = start + max_bytes as u64;
    let count = offsets[1..].iter().take_while(|end| **end <= room).count().max(1);
    let end = *offsets.get(count).filter(|end| **end >= start).ok_or_else(damaged)?;
    let data = get(app, dataset, dataset.data_key(), start..end).await?;
    let row = |pair: &[u64]| {
        let [from, to] = [pair[0], pair[1]].map(|at| at.checked_sub(start));
        let (from, to) = (from? as usize, to? as usize);
        (from <= to && to <= data.len()).then(|| data.slice(from..to))
    };
    offsets[..=count].windows(2).map(row).collect::<Option<_>>().ok_or_else(damaged)
}

/// Rows of `x` as objects of numbers.
async fn table(
    app: &App,
    dataset: &Dataset,
    names: &[String],
    first: u64,
    most: usize,
    max_bytes: usize,
) -> Result<Vec<Box<RawValue>>> {
    let x = dataset.arrays().iter().find(|array| array.name == "x");
    let x = x.ok_or_else(|| Error::internal("a table without its array"))?;
    let names = keys(names);
    // what is written is longer than this, so none is read that has no room
    let row: usize = names.iter().map(|name| name.len() + 3).sum();
    let count = fitting(most, row as u64, max_bytes);
    let data = read_rows(app, dataset, x, &(first..first + count)).await?;
    let row_bytes = names.len() * x.dtype.size();
    let objects = data.chunks_exact(row_bytes).map(|row| {
        let cells = row.chunks_exact(x.dtype.size()).map(|cell| number(x.dtype, cell));
        object(&names, cells)
    });
    bounded(objects, max_bytes)
}

/// A number of a table; whole ones without a fraction, as they were written.
fn number(dtype: Dtype, bytes: &[u8]) -> String {
    let (value, shortest) = match (dtype, bytes) {
        (Dtype::Float32, [a, b, c, d]) => {
            let value = f32::from_le_bytes([*a, *b, *c, *d]);
            (f64::from(value), value.to_string())
        }
        _ => {
            let value = bytes.first_chunk().map_or(0.0, |bytes| f64::from_le_bytes(*bytes));
            (value, value.to_string())
        }
    };
    let whole = value.fract() == 0.0 && value.abs() < 9e15;
    if whole { (value as i64).to_string() } else { shortest }
}

/// Rows of arrays as tensors of one row.
async fn arrays(
    app: &App,
    dataset: &Dataset,
    first: u64,
    most: usize,
    max_bytes: usize,
) -> Result<Vec<Box<RawValue>>> {
    let inputs: Vec<&Array> = match inputs(dataset) {
        inputs if inputs.is_empty() => dataset.arrays().iter().collect(),
        inputs => inputs,
    };
    let row_bytes: u64 = inputs.iter().filter_map(|array| array.row_bytes()).sum();
    let count = fitting(most, row_bytes * 4 / 3, max_bytes);
    let mut read = Vec::with_capacity(inputs.len());
    for array in &inputs {
        read.push(read_rows(app, dataset, array, &(first..first + count)).await?);
    }
    let values = (0..count as usize).map(|row| {
        let tensor = |array: &Array, data: &Bytes| {
            let length = data.len() / count as usize;
            let shape: Vec<usize> = std::iter::once(1).chain(array.shape.iter().copied()).collect();
            let data = STANDARD.encode(&data[row * length..(row + 1) * length]);
            json!({ "dtype": array.dtype, "shape": shape, "data_b64": data })
        };
        let value = match (&inputs[..], &read[..]) {
            ([array], [data]) => tensor(array, data),
            _ => {
                let named = inputs.iter().zip(&read);
                let named = named.map(|(array, data)| (array.name.clone(), tensor(array, data)));
                json!({ "inputs": Value::Object(named.collect()) })
            }
        };
        raw(value.to_string())
    });
    bounded(values, max_bytes)
}

/// The arrays that are not labels.
fn inputs(dataset: &Dataset) -> Vec<&Array> {
    let arrays = dataset.arrays().iter();
    arrays.filter(|array| !LABELS.contains(&array.name.as_str())).collect()
}

/// Names as JSON writes them.
fn keys(names: &[String]) -> Vec<String> {
    names.iter().map(|name| Value::from(name.as_str()).to_string()).collect()
}

/// An object of written keys and values.
fn object(
    names: &[String],
    values: impl IntoIterator<Item = impl AsRef<str>>,
) -> Result<Box<RawValue>> {
    let mut text = String::from("{");
    for (name, value) in names.iter().zip(values) {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(name);
        text.push(':');
        text.push_str(value.as_ref());
    }
    text.push('}');
    raw(text)
}

/// The values of a list as they are written.
fn list(line: &Bytes) -> Result<Vec<&str>> {
    let values: Vec<&RawValue> = serde_json::from_slice(line).map_err(Error::internal)?;
    Ok(values.into_iter().map(RawValue::get).collect())
}

fn text(line: &Bytes) -> Result<&str> {
    std::str::from_utf8(line).map_err(Error::internal)
}

fn raw(json: String) -> Result<Box<RawValue>> {
    RawValue::from_string(json).map_err(Error::internal)
}
