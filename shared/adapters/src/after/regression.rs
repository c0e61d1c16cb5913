//! `regression`: the numbers themselves, under a name.

use std::collections::BTreeMap;

use protocol::tensor::Named;
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
    One(f64),
    Many(Vec<f64>),
}

pub(super) fn one(row: Vec<f64>) -> Prediction {
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
        let rows = after.rows(named, named.tensor.to_f64()).collect::<Result<Vec<_>, _>>()?;
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

fn number(row: Vec<f64>) -> Number {
    match row.as_slice() {
        [value] => Number::One(*value),
        _ => Number::Many(row),
    }
}
