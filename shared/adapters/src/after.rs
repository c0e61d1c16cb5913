//! What is done behind a model: its tensors become an answer in words.

use protocol::tensor::{Dtype, Named, Spec};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{
    Map, Value,
    value::{RawValue, to_raw_value},
};

use crate::{before::NotUsable, options};

mod binary;
mod regression;
mod scores;
mod top_k;

/// The adapter behind one model; made once, used for every result.
pub struct After {
    kind: Kind,
    /// The output that is read; `None` for all.
    output: Option<String>,
    /// The outputs that give one value for each row.
    columns: Vec<String>,
}

enum Kind {
    TopK(top_k::TopK),
    Binary(binary::Binary),
    Regression,
}

/// What every adapter may be told in `x-adapter` of `output_schema`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Options {
    /// The output that is read, of a model with several.
    output: Option<String>,
}

/// The options of an adapter that has none of its own.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Alone {
    #[serde(rename = "output")]
    _output: IgnoredAny,
}

impl After {
    /// The adapter of that name for a model with these outputs. `schema` is the model's
    /// `output_schema`, whose `x-adapter` holds the options.
    ///
    /// # Errors
    /// When there is no such adapter, or an option or the model does not fit it.
    pub fn new(
        name: &str,
        schema: Option<&Map<String, Value>>,
        labels: Option<&[String]>,
        outputs: &[Spec],
    ) -> Result<Self, NotUsable> {
        Self::make(name, schema, labels, outputs).map_err(NotUsable)
    }

    fn make(
        name: &str,
        schema: Option<&Map<String, Value>>,
        labels: Option<&[String]>,
        outputs: &[Spec],
    ) -> Result<Self, String> {
        let Options { output } = options::read(schema)?;
        let spec = match &output {
            Some(name) => {
                Some(outputs.iter().find(|spec| spec.name == *name).ok_or_else(|| {
                    let names: Vec<_> = outputs.iter().map(|spec| spec.name.as_str()).collect();
                    format!(
                        "x-adapter.output: the model has no `{name}`, it has {}",
                        names.join(", ")
                    )
                })?)
            }
            None => scored(outputs),
        };
        let found = || spec.ok_or_else(|| "the model has no outputs".to_owned());
        let kind = match name {
            "top_k_labels" => Kind::TopK(top_k::TopK::new(schema, labels, found()?)?),
            "binary_classification" => Kind::Binary(binary::Binary::new(schema, labels, found()?)?),
            "regression" => {
                options::read::<Alone>(schema)?;
                Kind::Regression
            }
            _ => return Err(format!("there is no adapter `{name}`")),
        };
        let output = match kind {
            // several values are told by their names
            Kind::Regression => output,
            _ => Some(found()?.name.clone()),
        };
        let columns = outputs.iter().filter(|spec| is_column(spec));
        let columns = columns.map(|spec| spec.name.clone()).collect();
        Ok(Self { kind, output, columns })
    }

    /// The answer for a model's outputs: one object, or for several rows, or if the caller gave a
    /// list, a list of them.
    ///
    /// # Errors
    /// A sentence, when the outputs are not what the adapter reads.
    pub fn run(&self, outputs: &[Named], many: bool) -> Result<Box<RawValue>, String> {
        let chosen: Vec<&Named> = match &self.output {
            Some(name) => outputs.iter().filter(|named| named.name == *name).collect(),
            None => outputs.iter().collect(),
        };
        let [first, rest @ ..] = chosen.as_slice() else {
            return Err("the model did not give the output that the adapter reads".to_owned());
        };
        if let Some(index) = first.tensor.first_non_finite() {
            return Err(format!("element {index} of `{}` is not finite", first.name));
        }
        let scores = || self.rows(first, first.tensor.to_f64());
        match &self.kind {
            Kind::TopK(top_k) => answer(scores().map(|row| top_k.row(row?)), many),
            Kind::Binary(binary) => answer(scores().map(|row| binary.row(row?)), many),
            Kind::Regression if rest.is_empty() => {
                let values = regression::values(&first.tensor);
                answer(self.rows(first, values).map(|row| Ok(regression::one(row?))), many)
            }
            Kind::Regression => answer(regression::rows(self, &chosen)?.into_iter().map(Ok), many),
        }
    }

    /// The rows of an output's values; without a batch dimension it is one.
    fn rows<T: Clone>(
        &self,
        output: &Named,
        values: Vec<T>,
    ) -> impl Iterator<Item = Result<Vec<T>, String>> + use<T> {
        let count = match output.tensor.shape.as_slice() {
            [] => 1,
            [rows] if self.columns.contains(&output.name) => *rows,
            [_] => 1,
            [rows, ..] => *rows,
        };
        let width = values.len().checked_div(count).unwrap_or(0);
        (0..count).map(move |row| match width {
            0 => Err("the model gave no values".to_owned()),
            width => Ok(values[row * width..(row + 1) * width].to_vec()),
        })
    }
}

/// The output that holds the scores unless the options name one: the first of floats, for
/// classifiers often give the label beside.
fn scored(outputs: &[Spec]) -> Option<&Spec> {
    let is_float =
        |spec: &&Spec| matches!(spec.dtype, Dtype::Float16 | Dtype::Float32 | Dtype::Float64);
    outputs.iter().find(is_float).or(outputs.first())
}

/// Whether an output of one dimension is a value for each row, and not one row: then it is open.
fn is_column(spec: &Spec) -> bool {
    matches!(spec.shape.as_slice(), [None])
}

/// How many values one row of an output has, if the file says it.
fn width(spec: &Spec) -> Option<usize> {
    let dims = match spec.shape.as_slice() {
        _ if is_column(spec) => return Some(1),
        [_, dims @ ..] if !dims.is_empty() => dims,
        dims => dims,
    };
    dims.iter().copied().product()
}

fn answer<T: serde::Serialize>(
    rows: impl Iterator<Item = Result<T, String>>,
    many: bool,
) -> Result<Box<RawValue>, String> {
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let json = match rows.as_slice() {
        [one] if !many => to_raw_value(one),
        rows => to_raw_value(rows),
    };
    json.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
