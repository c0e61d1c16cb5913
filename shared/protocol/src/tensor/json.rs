//! Reading tensors that people wrote as JSON, with errors that name the element.

use std::{borrow::Cow, collections::BTreeMap, fmt, marker::PhantomData};

use base64::{Engine, engine::general_purpose::STANDARD};
use half::f16;
use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{Dtype, Named, Tensor};

/// The most dimensions of a tensor, and the most bytes of its shape as JSON, with some room for spaces.
const MAX_DIMS: usize = 32;
const MAX_SHAPE: usize = 4 * 1024;

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
    #[serde(borrow)]
    shape: Option<&'a RawValue>,
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
    // a list of the fields' values would do for serde
    let is_object = raw.get().starts_with('{');
    let body: Option<Body> = serde_json::from_str(raw.get()).ok().filter(|_| is_object);
    let body = body.ok_or_else(|| malformed(raw, path))?;
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
        Some(shape) => sizes(shape, &format!("{path}.shape"))?,
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

/// A shape; one that is longer than any is refused before it is read.
fn sizes(shape: &RawValue, path: &str) -> Result<Vec<usize>, Invalid> {
    let too_long = || Invalid::new(path, format!("a tensor has at most {MAX_DIMS} dimensions"));
    if shape.get().len() > MAX_SHAPE {
        return Err(too_long());
    }
    let sizes: Vec<u64> = serde_json::from_str(shape.get()).map_err(|_| {
        let message = "expected a list of non-negative whole numbers, for example [1, 10]";
        Invalid::new(path, message)
    })?;
    if sizes.len() > MAX_DIMS {
        return Err(too_long());
    }
    let sizes = sizes.into_iter().map(usize::try_from).collect::<Result<Vec<_>, _>>();
    sizes.map_err(|_| Invalid::new(path, "a dimension is too large"))
}

/// The numbers as little-endian bytes.
fn encode(numbers: &RawValue, path: &str, dtype: Dtype) -> Result<Vec<u8>, Invalid> {
    fn all<'a, T: Deserialize<'a>, const N: usize>(
        numbers: &'a RawValue,
        bytes: impl Fn(T) -> [u8; N],
    ) -> serde_json::Result<Vec<u8>> {
        let mut all = Vec::new();
        let append = Each::new(|value: T| {
            all.extend(bytes(value));
            true
        });
        serde_json::Deserializer::from_str(numbers.get()).deserialize_seq(append)?;
        Ok(all)
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
    let (mut index, mut wrong) = (0, None);
    let look = Each::new(|element: &RawValue| {
        wrong = fault(element, index, &path, dtype);
        index += 1;
        wrong.is_none()
    });
    // it ends with an error at the element that it finds
    let read = serde_json::Deserializer::from_str(numbers.get()).deserialize_seq(look);
    match wrong {
        Some(fault) => fault,
        None if read.is_err() => {
            Invalid::new(path, "expected a flat list of numbers in row-major order")
        }
        None => Invalid::new(path, format!("expected a flat list of {dtype} numbers")),
    }
}

/// Why an element is no number of this type.
fn fault(element: &RawValue, index: usize, path: &str, dtype: Dtype) -> Option<Invalid> {
    let fits = match dtype {
        Dtype::Float16 | Dtype::Float32 => match serde_json::from_str::<f64>(element.get()) {
            Ok(value) if !(value as f32).is_finite() => {
                return Some(not_finite(path, index, dtype));
            }
            read => read.is_ok(),
        },
        _ => encode_one(element, dtype),
    };
    if fits {
        return None;
    }
    let shown: String = element.get().chars().take(40).collect();
    let nested = element.get().starts_with('[');
    let hint = if nested { "; flatten nested lists row by row" } else { "" };
    let message = format!("expected a {dtype} number, got {shown}{hint}");
    Some(Invalid::new(format!("{path}[{index}]"), message))
}

/// Gives each element of a list to a function until that says `false`. Nothing is kept: a list may be
/// as long as a body.
struct Each<T, F>(F, PhantomData<T>);

impl<T, F: FnMut(T) -> bool> Each<T, F> {
    fn new(each: F) -> Self {
        Self(each, PhantomData)
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(T) -> bool> Visitor<'de> for Each<T, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element()? {
            if !(self.0)(element) {
                return Err(A::Error::custom("enough was seen"));
            }
        }
        Ok(())
    }
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
    #[derive(Deserialize)]
    struct Loose<'a> {
        #[serde(borrow)]
        dtype: Option<&'a RawValue>,
    }
    let is_object = raw.get().starts_with('{');
    let Some(Loose { dtype }) = serde_json::from_str(raw.get()).ok().filter(|_| is_object) else {
        let message = "expected a tensor {\"data\": [numbers], \"shape\": [sizes]}";
        return Invalid::new(path, message);
    };
    if let Some(dtype) = dtype.filter(|d| serde_json::from_str::<Dtype>(d.get()).is_err()) {
        let shown: String = dtype.get().chars().take(40).collect();
        let message = format!("{shown} is no element type; use a NumPy name such as \"float32\"");
        return Invalid::new(format!("{path}.dtype"), message);
    }
    Invalid::new(format!("{path}.data_b64"), "expected a text of base64")
}
