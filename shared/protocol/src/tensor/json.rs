//! Reading tensors that people wrote as JSON, with errors that name the element.

use std::{borrow::Cow, collections::BTreeMap};

use base64::{Engine, engine::general_purpose::STANDARD};
use half::f16;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{Dtype, Named, Tensor};

/// What is wrong with a tensor, and where.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Invalid {
    /// The place, such as `input.data[3]`.
    pub path: String,
    /// What is wrong and what is expected.
    pub message: String,
}

impl Invalid {
    fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

#[derive(Deserialize)]
struct Body<'a> {
    dtype: Option<Dtype>,
    shape: Option<Vec<u64>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    data_b64: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Inputs<'a> {
    #[serde(borrow)]
    inputs: BTreeMap<Cow<'a, str>, &'a RawValue>,
}

/// Reads the `input` of a request: one tensor for a model with one input, or
/// `{"inputs": {name: tensor}}`. `expected` are the names and types of the model's inputs; the
/// answer has exactly these, in this order.
///
/// # Errors
/// The first fault, with its path from `input` on.
pub fn parse_named(raw: &RawValue, expected: &[(&str, Dtype)]) -> Result<Vec<Named>, Invalid> {
    if let [(name, dtype)] = expected
        && !has_inputs(raw)
    {
        let tensor = parse(raw, "input", *dtype)?;
        return Ok(vec![Named { name: (*name).to_owned(), tensor }]);
    }
    let names =
        || expected.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let Ok(Inputs { mut inputs }) = serde_json::from_str::<Inputs>(raw.get()) else {
        let message = format!(
            "expected {{\"inputs\": {{name: tensor}}}} with the model's inputs {}",
            names()
        );
        return Err(Invalid::new("input", message));
    };
    let tensors = expected
        .iter()
        .map(|(name, dtype)| {
            let path = format!("input.inputs.{name}");
            let Some(raw) = inputs.remove(*name) else {
                return Err(Invalid::new(path, "missing; the model needs it"));
            };
            let tensor = parse(raw, &path, *dtype)?;
            Ok(Named { name: (*name).to_owned(), tensor })
        })
        .collect::<Result<Vec<_>, _>>()?;
    if let Some(unknown) = inputs.keys().next() {
        let message = format!("the model has no such input; it has {}", names());
        return Err(Invalid::new(format!("input.inputs.{unknown}"), message));
    }
    Ok(tensors)
}

/// Whether the `input` of a request names its tensors; the result then names its own.
pub fn has_inputs(raw: &RawValue) -> bool {
    raw.get().contains("\"inputs\"") && serde_json::from_str::<Inputs>(raw.get()).is_ok()
}

/// Reads one tensor: `{"data": [numbers], "shape": […]}` or `{"data_b64", "shape", "dtype"}`.
/// `expected` is the type that the model takes; a body with another `dtype` is refused.
///
/// # Errors
/// The first fault; `path` is where the tensor stands.
pub fn parse(raw: &RawValue, path: &str, expected: Dtype) -> Result<Tensor, Invalid> {
    let body: Body = serde_json::from_str(raw.get()).map_err(|_| malformed(raw, path))?;
    let dtype = body.dtype.unwrap_or(expected);
    if dtype != expected {
        let message = format!("the model takes {expected}, not {dtype}");
        return Err(Invalid::new(format!("{path}.dtype"), message));
    }
    let data = match (body.data, body.data_b64) {
        (Some(numbers), None) => encode(numbers, path, dtype)?,
        (None, Some(text)) => STANDARD.decode(text.as_bytes()).map_err(|error| {
            Invalid::new(format!("{path}.data_b64"), format!("not standard base64: {error}"))
        })?,
        (Some(_), Some(_)) => {
            return Err(Invalid::new(path, "give `data` or `data_b64`, not both"));
        }
        (None, None) => {
            let message = format!(
                "expected a tensor {{\"data\": [numbers], \"shape\": [sizes]}} of {expected}; `data` is missing"
            );
            return Err(Invalid::new(format!("{path}.data"), message));
        }
    };
    if data.len() % dtype.size() != 0 {
        let (bytes, size) = (data.len(), dtype.size());
        let message =
            format!("{bytes} bytes are not a whole number of {dtype} elements of {size} bytes");
        return Err(Invalid::new(format!("{path}.data_b64"), message));
    }
    let count = data.len() / dtype.size();
    let shape = match body.shape {
        Some(shape) => shape
            .iter()
            .map(|dim| usize::try_from(*dim))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| Invalid::new(format!("{path}.shape"), "a dimension is too large"))?,
        None => return Err(Invalid::new(format!("{path}.shape"), "missing; for example [1, 10]")),
    };
    if Tensor::elements(&shape) != Some(count) {
        let needs = Tensor::elements(&shape).map_or_else(
            || "more elements than fit in memory".to_owned(),
            |n| format!("{n} elements"),
        );
        let message = format!("shape {shape:?} needs {needs}, data has {count}");
        return Err(Invalid::new(format!("{path}.shape"), message));
    }
    let tensor = Tensor { dtype, shape, data: data.into() };
    if let Some(index) = tensor.first_non_finite() {
        return Err(not_finite(&format!("{path}.data"), index, dtype));
    }
    Ok(tensor)
}

/// The numbers as little-endian bytes.
fn encode(numbers: &RawValue, path: &str, dtype: Dtype) -> Result<Vec<u8>, Invalid> {
    fn all<'a, T: Deserialize<'a>, const N: usize>(
        numbers: &'a RawValue,
        bytes: impl Fn(T) -> [u8; N],
    ) -> serde_json::Result<Vec<u8>> {
        let values: Vec<T> = serde_json::from_str(numbers.get())?;
        Ok(values.into_iter().flat_map(bytes).collect())
    }
    match dtype {
        Dtype::Float32 => all(numbers, f32::to_le_bytes),
        Dtype::Float64 => all(numbers, f64::to_le_bytes),
        Dtype::Float16 => all(numbers, |value: f32| f16::from_f32(value).to_le_bytes()),
        Dtype::Int64 => all(numbers, i64::to_le_bytes),
        Dtype::Int32 => all(numbers, i32::to_le_bytes),
        Dtype::Int16 => all(numbers, i16::to_le_bytes),
        Dtype::Int8 => all(numbers, i8::to_le_bytes),
        Dtype::Uint64 => all(numbers, u64::to_le_bytes),
        Dtype::Uint32 => all(numbers, u32::to_le_bytes),
        Dtype::Uint16 => all(numbers, u16::to_le_bytes),
        Dtype::Uint8 => all(numbers, u8::to_le_bytes),
        Dtype::Bool => all(numbers, |value: bool| [u8::from(value)]),
    }
    .map_err(|_| wrong_element(numbers, path, dtype))
}

fn not_finite(path: &str, index: usize, dtype: Dtype) -> Invalid {
    Invalid::new(format!("{path}[{index}]"), format!("element {index} is not a finite {dtype}"))
}

/// Finds the element that is not a number of this type; only runs when there is one.
fn wrong_element(numbers: &RawValue, path: &str, dtype: Dtype) -> Invalid {
    let path = format!("{path}.data");
    let elements: Vec<&RawValue> = match serde_json::from_str(numbers.get()) {
        Ok(elements) => elements,
        Err(_) => return Invalid::new(path, "expected a flat list of numbers in row-major order"),
    };
    for (index, element) in elements.into_iter().enumerate() {
        let fits = match dtype {
            Dtype::Float16 | Dtype::Float32 => match serde_json::from_str::<f64>(element.get()) {
                Ok(value) if !(value as f32).is_finite() => return not_finite(&path, index, dtype),
                read => read.is_ok(),
            },
            Dtype::Float64 => serde_json::from_str::<f64>(element.get()).is_ok(),
            _ => encode_one(element, dtype),
        };
        if !fits {
            let shown: String = element.get().chars().take(40).collect();
            let hint = if element.get().starts_with('[') {
                "; flatten nested lists row by row"
            } else {
                ""
            };
            let message = format!("expected a {dtype} number, got {shown}{hint}");
            return Invalid::new(format!("{path}[{index}]"), message);
        }
    }
    Invalid::new(path, format!("expected a flat list of {dtype} numbers"))
}

fn encode_one(element: &RawValue, dtype: Dtype) -> bool {
    let text = element.get();
    match dtype {
        Dtype::Int8 => serde_json::from_str::<i8>(text).is_ok(),
        Dtype::Int16 => serde_json::from_str::<i16>(text).is_ok(),
        Dtype::Int32 => serde_json::from_str::<i32>(text).is_ok(),
        Dtype::Int64 => serde_json::from_str::<i64>(text).is_ok(),
        Dtype::Uint8 => serde_json::from_str::<u8>(text).is_ok(),
        Dtype::Uint16 => serde_json::from_str::<u16>(text).is_ok(),
        Dtype::Uint32 => serde_json::from_str::<u32>(text).is_ok(),
        Dtype::Uint64 => serde_json::from_str::<u64>(text).is_ok(),
        Dtype::Bool => serde_json::from_str::<bool>(text).is_ok(),
        Dtype::Float16 | Dtype::Float32 | Dtype::Float64 => {
            serde_json::from_str::<f64>(text).is_ok()
        }
    }
}

/// Says which field of the tensor has the wrong type.
fn malformed(raw: &RawValue, path: &str) -> Invalid {
    let Ok(Value::Object(fields)) = serde_json::from_str(raw.get()) else {
        let message = "expected a tensor {\"data\": [numbers], \"shape\": [sizes]}";
        return Invalid::new(path, message);
    };
    let whole = |value: &Value| value.as_array().is_some_and(|dims| dims.iter().all(Value::is_u64));
    if fields.get("shape").is_some_and(|shape| !whole(shape)) {
        let message = "expected a list of non-negative whole numbers, for example [1, 10]";
        return Invalid::new(format!("{path}.shape"), message);
    }
    if let Some(dtype) = fields.get("dtype").filter(|d| Dtype::deserialize(*d).is_err()) {
        let message = format!("{dtype} is no element type; use a NumPy name such as \"float32\"");
        return Invalid::new(format!("{path}.dtype"), message);
    }
    Invalid::new(format!("{path}.data_b64"), "expected a text of base64")
}
