//! A test case of the `onnx` package, as `export.py` writes it, and what becomes of it here.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use inference::{Error, Network};
use protocol::tensor::{Dtype, Named, Tensor};
use serde::{Deserialize, Serialize};

/// Least tolerances: cases that ask for more digits than float32 sums keep are not held to them.
const RTOL: f64 = 1e-3;
const ATOL: f64 = 1e-5;

/// What a float16 result may be off: a few of its last digits.
const HALF: f64 = 4e-3;

/// A case: a model, and what it answers to what.
#[derive(Deserialize)]
pub(crate) struct Case {
    rtol: f64,
    atol: f64,
    model: String,
    /// Of a graph of one node.
    pub(crate) operator: Option<String>,
    #[serde(default)]
    sets: Vec<Set>,
    /// Why it cannot be expressed with tensors.
    skipped: Option<String>,
}

#[derive(Deserialize)]
struct Set {
    inputs: Vec<Value>,
    outputs: Vec<Value>,
}

#[derive(Deserialize)]
struct Value {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    data: String,
}

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", content = "because", rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// Accepted, and every output is as expected.
    Right,
    /// Accepted, and an output differs.
    Wrong(String),
    /// Accepted, and the run answered with an error.
    Fails(String),
    /// Refused at upload.
    Refused(String),
    /// The case cannot be put to the platform: it is not made of tensors.
    Skipped(String),
    /// The process ended or did not answer.
    Died(String),
}

impl Case {
    /// Reads a case.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).with_context(|| path.display().to_string())?;
        serde_json::from_slice(&text).with_context(|| path.display().to_string())
    }

    /// The model's file.
    pub(crate) fn model(&self) -> Result<Vec<u8>> {
        Ok(STANDARD.decode(&self.model)?)
    }

    /// Does with the model what an upload and a request for each set do.
    pub(crate) fn judge(&self) -> Result<Verdict> {
        if let Some(reason) = &self.skipped {
            return Ok(Verdict::Skipped(reason.clone()));
        }
        let model = self.model()?;
        let network = match inference::inspect(&model).and_then(|_| Network::load(&model)) {
            Ok(network) => network,
            Err(refused) => return Ok(Verdict::Refused(refused.to_string())),
        };
        for set in &self.sets {
            let inputs = set.inputs.iter().map(Value::named).collect::<Result<Vec<_>>>()?;
            let given = match network.run(&inputs) {
                Ok(given) => given,
                Err(Error::Input(reason) | Error::Engine(reason)) => {
                    return Ok(Verdict::Fails(reason));
                }
            };
            let expected = set.outputs.iter().map(Value::named).collect::<Result<Vec<_>>>()?;
            for (expected, given) in expected.iter().zip(&given) {
                if let Some(difference) = self.difference(&expected.tensor, &given.tensor) {
                    return Ok(Verdict::Wrong(format!("`{}`: {difference}", expected.name)));
                }
            }
        }
        Ok(Verdict::Right)
    }

    /// Where the tensors differ by more than the case allows.
    fn difference(&self, expected: &Tensor, given: &Tensor) -> Option<String> {
        if (expected.dtype, &expected.shape) != (given.dtype, &given.shape) {
            return Some(format!(
                "{} {:?} instead of {} {:?}",
                given.dtype, given.shape, expected.dtype, expected.shape
            ));
        }
        let (rtol, atol) = match expected.dtype {
            Dtype::Float16 => (self.rtol.max(HALF), self.atol.max(HALF)),
            Dtype::Float32 | Dtype::Float64 => (self.rtol.max(RTOL), self.atol.max(ATOL)),
            _ if expected.data == given.data => return None,
            _ => (0.0, 0.0),
        };
        let pairs = expected.to_f64().into_iter().zip(given.to_f64());
        let near = |expected: f64, given: f64| {
            expected == given
                || (expected.is_nan() && given.is_nan())
                || (expected - given).abs() <= atol + rtol * expected.abs()
        };
        pairs
            .enumerate()
            .find(|(_, (expected, given))| !near(*expected, *given))
            .map(|(index, (expected, given))| format!("[{index}] is {given} instead of {expected}"))
    }
}

impl Value {
    fn named(&self) -> Result<Named> {
        let data = STANDARD.decode(&self.data)?;
        let tensor = Tensor { dtype: self.dtype, shape: self.shape.clone(), data: data.into() };
        let length = Tensor::elements(&tensor.shape).map(|elements| elements * self.dtype.size());
        ensure!(length == Some(tensor.data.len()), "`{}` is damaged", self.name);
        Ok(Named { name: self.name.clone(), tensor })
    }
}
