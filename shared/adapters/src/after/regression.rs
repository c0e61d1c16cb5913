//! `regression`: the numbers themselves, under a name.

use std::collections::BTreeMap;

use protocol::tensor::{Dtype, Named, Tensor};
use serde::Serialize;

use super::After;

/// The answer for one row of a model with one output.
#[derive(Serialize)]
pub(super) struct Prediction {
    value: Number,
}

/// A number, or as many as the model gives.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Number {
    One(Value),
    Many(Vec<Value>),
}

/// A value as the model gave it: whole ones of 64 bits do not fit in a float.
#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
pub(super) enum Value {
    Int(i64),
    Uint(u64),
    Float(f64),
}

/// The values of an output.
pub(super) fn values(tensor: &Tensor) -> Vec<Value> {
    let (wide, _) = tensor.data.as_chunks::<8>();
    match tensor.dtype {
        Dtype::Int64 => wide.iter().map(|bytes| Value::Int(i64::from_le_bytes(*bytes))).collect(),
        Dtype::Uint64 => wide.iter().map(|bytes| Value::Uint(u64::from_le_bytes(*bytes))).collect(),
        _ => tensor.to_f64().into_iter().map(Value::Float).collect(),
    }
}

pub(super) fn one(row: Vec<Value>) -> Prediction {
    Prediction { value: number(row) }
}

/// The answers of a model with several outputs, each under its name.
pub(super) fn rows(
    after: &After,
    outputs: &[&Named],
) -> Result<Vec<BTreeMap<String, Number>>, String> {
    let mut answers: Vec<BTreeMap<String, Number>> = Vec::new();
    for (place, named) in outputs.iter().enumerate() {
        if let Some(index) = named.tensor.first_non_finite() {
            return Err(format!("element {index} of `{}` is not finite", named.name));
        }
        let rows = after.rows(named, values(&named.tensor)).collect::<Result<Vec<_>, _>>()?;
        if place == 0 {
            answers.resize_with(rows.len(), BTreeMap::new);
        }
        if rows.len() != answers.len() {
            return Err("the model's outputs have different numbers of rows".to_owned());
        }
        for (answer, row) in answers.iter_mut().zip(rows) {
            answer.insert(named.name.clone(), number(row));
        }
    }
    Ok(answers)
}

fn number(row: Vec<Value>) -> Number {
    match row.as_slice() {
        [value] => Number::One(*value),
        _ => Number::Many(row),
    }
}
