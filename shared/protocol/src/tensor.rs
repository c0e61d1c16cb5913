//! Tensors as they travel: JSON numbers from people, base64 between programs, safetensors in files.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use half::f16;
use serde::{Deserialize, Serialize, ser::SerializeStruct};
use serde_json::value::RawValue;

mod dtype;
mod file;
mod json;
mod spec;
mod stacked;

pub use dtype::Dtype;
pub use file::{from_file as dtype_from_safetensors, from_safetensors, to_safetensors};
pub use json::{Invalid, has_inputs, parse, parse_named};
pub use spec::Spec;
pub use stacked::{Answers, Failed, height, stack, unstack};

/// A dense tensor: row-major, little-endian.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The type of its elements.
    pub dtype: Dtype,
    /// Its dimensions; empty for a scalar.
    pub shape: Vec<usize>,
    /// `shape.product() × dtype.size()` bytes.
    pub data: Bytes,
}

/// A tensor and the name of the model's input or output it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// The input's or output's name.
    pub name: String,
    /// Its value.
    pub tensor: Tensor,
}

impl Tensor {
    /// A float32 tensor.
    pub fn from_f32(shape: Vec<usize>, values: &[f32]) -> Self {
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>();
        Self { dtype: Dtype::Float32, shape, data: data.into() }
    }

    /// The number of elements that the shape stands for; `None` when it overflows.
    pub fn elements(shape: &[usize]) -> Option<usize> {
        shape.iter().try_fold(1usize, |product, dim| product.checked_mul(*dim))
    }

    /// The values as `f64`, which holds all but the largest 64-bit integers exactly.
    pub fn to_f64(&self) -> Vec<f64> {
        let size = self.dtype.size();
        self.data.chunks_exact(size).map(|bytes| self.dtype.read_f64(bytes)).collect()
    }

    /// The same numbers in another type; `None` when it does not hold all of its numbers.
    pub fn converted(&self, dtype: Dtype) -> Option<Self> {
        if dtype == self.dtype {
            return Some(self.clone());
        }
        let data = dtype.takes(self.dtype).then(|| self.dtype.convert(&self.data, dtype))?;
        Some(Self { dtype, shape: self.shape.clone(), data: data.into() })
    }

    /// The index of the first NaN or infinity.
    pub fn first_non_finite(&self) -> Option<usize> {
        let finite: fn(&[u8]) -> bool = match self.dtype {
            Dtype::Float16 => |b| f16::from_le_bytes([b[0], b[1]]).is_finite(),
            Dtype::Float32 => |b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]).is_finite(),
            Dtype::Float64 => |b| Dtype::Float64.read_f64(b).is_finite(),
            _ => return None,
        };
        self.data.chunks_exact(self.dtype.size()).position(|bytes| !finite(bytes))
    }

    /// How long the tensor is as JSON with base64, roughly: what decides between inline and by reference.
    pub fn encoded_len(&self) -> usize {
        self.data.len().div_ceil(3) * 4 + 64
    }
}

/// As programs write it: `{"dtype","shape","data_b64"}`.
impl Serialize for Named {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Named", 4)?;
        object.serialize_field("name", &self.name)?;
        object.serialize_field("dtype", &self.tensor.dtype)?;
        object.serialize_field("shape", &self.tensor.shape)?;
        object.serialize_field("data_b64", &STANDARD.encode(&self.tensor.data))?;
        object.end()
    }
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Wire {
            name: String,
            dtype: Dtype,
            shape: Vec<usize>,
            data_b64: String,
        }
        use serde::de::Error;
        let wire = Wire::deserialize(deserializer)?;
        let data = STANDARD.decode(&wire.data_b64).map_err(D::Error::custom)?;
        let bytes = Tensor::elements(&wire.shape).and_then(|n| n.checked_mul(wire.dtype.size()));
        if bytes != Some(data.len()) {
            return Err(D::Error::custom(format!(
                "tensor `{}`: {} bytes are not a {} of shape {:?}",
                wire.name,
                data.len(),
                wire.dtype,
                wire.shape
            )));
        }
        let tensor = Tensor { dtype: wire.dtype, shape: wire.shape, data: data.into() };
        Ok(Self { name: wire.name, tensor })
    }
}

/// How a result is shown to people: numbers, with `null` for NaN and infinities, which JSON lacks.
impl Serialize for Tensor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let exact = self.first_non_finite().is_some();
        let mut object = serializer.serialize_struct("Tensor", 4)?;
        object.serialize_field("data", &Numbers(self))?;
        object.serialize_field("shape", &self.shape)?;
        if self.dtype != Dtype::Float32 {
            object.serialize_field("dtype", &self.dtype)?;
        }
        if exact {
            object.serialize_field("data_b64", &STANDARD.encode(&self.data))?;
        }
        object.end()
    }
}

struct Numbers<'a>(&'a Tensor);

impl Serialize for Numbers<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Tensor { dtype, data, .. } = self.0;
        let chunks = data.chunks_exact(dtype.size());
        match dtype {
            // shortest text that reads back as the same float32
            Dtype::Float32 => serializer
                .collect_seq(chunks.map(|b| finite(f32::from_le_bytes([b[0], b[1], b[2], b[3]])))),
            Dtype::Int64 => serializer.collect_seq(chunks.map(|b| dtype.read_i64(b))),
            Dtype::Uint64 => serializer.collect_seq(chunks.map(|b| dtype.read_i64(b) as u64)),
            Dtype::Bool => serializer.collect_seq(chunks.map(|b| b[0] != 0)),
            Dtype::Float16 | Dtype::Float64 => serializer
                .collect_seq(chunks.map(|b| Some(dtype.read_f64(b)).filter(|v| v.is_finite()))),
            _ => serializer.collect_seq(chunks.map(|b| dtype.read_i64(b))),
        }
    }
}

fn finite(value: f32) -> Option<f32> {
    value.is_finite().then_some(value)
}

/// The raw JSON of a tensor or of an object of tensors, kept until the model's types are known.
pub type Raw = RawValue;
