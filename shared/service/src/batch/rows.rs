//! The rows of a dataset as inputs of a model: which array is which input, and of what shape a row is.

use std::ops::Range;

use domain::model::Preprocessing;
use protocol::tensor::{Dtype, Named, Spec, Tensor};

use crate::{
    App, Error, Result,
    datasets::{self, Dataset},
    models::Record,
};

/// How the rows of a dataset are read.
pub(super) enum Plan {
    /// As arrays, many rows at a time: for each input of the model one.
    Arrays(Vec<Column>),
    /// One after the other, as they would stand in a request.
    Values,
}

/// An array of a dataset that is an input of a model.
pub(super) struct Column {
    array: String,
    input: String,
    dtype: Dtype,
    /// Of the input that a row is.
    shape: Vec<usize>,
}

impl Plan {
    /// How the rows are read for a model.
    ///
    /// # Errors
    /// What does not fit, for whoever chose the two.
    pub(super) fn new(dataset: &Dataset, record: &Record, raw: Option<bool>) -> Result<Self> {
        let head = &record.head;
        let has_adapter = head.preprocessing.is_some_and(|name| name != Preprocessing::Passthrough);
        let in_words = has_adapter && raw != Some(true) && !dataset.is_tensors();
        if in_words || dataset.is_free() {
            return Ok(Self::Values);
        }
        let specs = &record.version.inputs;
        let columns = specs.iter().map(|spec| column(dataset, spec, specs.len()));
        columns.collect::<Result<_>>().map(Self::Arrays)
    }
}

/// The array that is an input: of its name, else `x`, else the only one.
fn column(dataset: &Dataset, spec: &Spec, inputs: usize) -> Result<Column> {
    let arrays = dataset.arrays();
    let named = |name: &str| arrays.iter().find(|array| array.name == name);
    let found = match (named(&spec.name), inputs, arrays) {
        (Some(array), ..) => Some(array),
        (None, 1, [only]) => Some(only),
        (None, 1, _) => named("x"),
        _ => None,
    };
    let fault = |message: String| Error::invalid("inputs_dataset_id", message);
    let Some(array) = found else {
        let names: Vec<_> = arrays.iter().map(|array| format!("`{}`", array.name)).collect();
        let has = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(fault(format!(
            "the model takes the input `{}` ({} {}), and the dataset has no array of that name; its arrays: {has}",
            spec.name,
            spec.dtype,
            spec.shape_text()
        )));
    };
    let shape = row_shape(spec, &array.shape).ok_or_else(|| {
        fault(format!(
            "a row of the dataset's `{}` has shape {:?}, which is no input `{}` of shape {}",
            array.name,
            array.shape,
            spec.name,
            spec.shape_text()
        ))
    })?;
    if !spec.dtype.takes(array.dtype) {
        return Err(fault(format!(
            "the dataset's `{}` is {}, and the model's input `{}` {}",
            array.name, array.dtype, spec.name, spec.dtype
        )));
    }
    let (array, input) = (array.name.clone(), spec.name.clone());
    Ok(Column { array, input, dtype: spec.dtype, shape })
}

/// The shape of an input that a row of this shape is: with a batch of one in front, as it is, or, when
/// only the number of elements is the same, in the model's own shape.
fn row_shape(spec: &Spec, row: &[usize]) -> Option<Vec<usize>> {
    let batched: Vec<usize> = std::iter::once(1).chain(row.iter().copied()).collect();
    if spec.fits(&batched) {
        return Some(batched);
    }
    if spec.fits(row) {
        return Some(row.to_vec());
    }
    let (first, rest) = spec.shape.split_first()?;
    let rest: Vec<usize> = rest.iter().copied().collect::<Option<_>>()?;
    let own: Vec<usize> = std::iter::once(first.unwrap_or(1)).chain(rest).collect();
    (Tensor::elements(&own) == Tensor::elements(row)).then_some(own)
}

/// Rows as stacked inputs; each row is one.
pub(super) async fn read(
    app: &App,
    dataset: &Dataset,
    columns: &[Column],
    rows: Range<u64>,
) -> Result<Vec<Named>> {
    let names: Vec<&str> = columns.iter().map(|column| column.array.as_str()).collect();
    let count = (rows.end - rows.start) as usize;
    let tensors = datasets::read_tensors(app, dataset, &names, rows).await?;
    let named = columns.iter().zip(tensors).map(|(column, Named { tensor, .. })| {
        let shape = std::iter::once(count).chain(column.shape.iter().copied()).collect();
        let unlike = || Error::internal("an array of another type than when the batch was made");
        let Tensor { dtype, data, .. } = tensor.converted(column.dtype).ok_or_else(unlike)?;
        Ok(Named { name: column.input.clone(), tensor: Tensor { dtype, shape, data } })
    });
    named.collect()
}

/// How many bytes a row has as inputs.
pub(super) fn row_bytes(columns: &[Column]) -> u64 {
    let bytes = columns.iter().map(|column| {
        let elements = Tensor::elements(&column.shape).unwrap_or(usize::MAX);
        elements.saturating_mul(column.dtype.size()) as u64
    });
    bytes.fold(0, u64::saturating_add)
}
