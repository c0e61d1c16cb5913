//! Rows of a dataset as tensors, found by their offsets.

use std::ops::Range;

use bytes::Bytes;
use protocol::{
    dataset::Array,
    tensor::{Named, Tensor},
};

use super::Dataset;
use crate::{App, Error, Result};

/// These arrays of a dataset in these rows, each stacked on its first dimension.
///
/// # Errors
/// `Invalid` when there is no such array or row, `NotFound` when the dataset was deleted.
pub async fn read_tensors(
    app: &App,
    dataset: &Dataset,
    names: &[&str],
    rows: Range<u64>,
) -> Result<Vec<Named>> {
    let mut tensors = Vec::with_capacity(names.len());
    for name in names {
        let array = dataset.arrays().iter().find(|array| array.name == *name);
        let array = array.ok_or_else(|| no_array(dataset, name))?;
        let data = read_rows(app, dataset, array, &rows).await?;
        let count = usize::try_from(rows.end - rows.start).map_err(Error::internal)?;
        let shape = std::iter::once(count).chain(array.shape.iter().copied()).collect();
        let tensor = Tensor { dtype: array.dtype, shape, data };
        tensors.push(Named { name: array.name.clone(), tensor });
    }
    Ok(tensors)
}

/// The bytes of an array's rows.
pub(super) async fn read_rows(
    app: &App,
    dataset: &Dataset,
    array: &Array,
    rows: &Range<u64>,
) -> Result<Bytes> {
    if rows.start > rows.end || rows.end > dataset.rows {
        let message = format!(
            "the dataset `{}` has the rows 0 to {}; {} to {} are not among them",
            dataset.id,
            dataset.rows - 1,
            rows.start,
            rows.end.saturating_sub(1)
        );
        return Err(Error::invalid("rows", message));
    }
    let row = array.row_bytes().ok_or_else(|| Error::internal("a row of too many bytes"))?;
    let at = |row_number: u64| array.offset + row_number * row;
    get(app, dataset, dataset.data_key(), at(rows.start)..at(rows.end)).await
}

/// Exactly these bytes of one of the dataset's files.
pub(super) async fn get(
    app: &App,
    dataset: &Dataset,
    key: String,
    range: Range<u64>,
) -> Result<Bytes> {
    let length = range.end - range.start;
    if length == 0 {
        return Ok(Bytes::new());
    }
    let bytes = app.ports.blobs.get(&key, Some(range)).await?;
    let bytes = bytes.ok_or_else(|| Error::no_dataset(&dataset.id))?;
    if bytes.len() as u64 != length {
        return Err(Error::internal(format!("{key} ends early")));
    }
    Ok(bytes)
}

fn no_array(dataset: &Dataset, name: &str) -> Error {
    let known: Vec<_> = dataset.arrays().iter().map(|array| array.name.as_str()).collect();
    let known = match known[..] {
        [] => "it has none that can be read as tensors".to_owned(),
        _ => format!("it has {}", known.join(", ")),
    };
    Error::invalid("inputs", format!("the dataset `{}` has no array `{name}`; {known}", dataset.id))
}
