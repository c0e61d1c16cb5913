//! The element types that a tensor may have.

use half::f16;
use serde::{Deserialize, Serialize};

/// An element type, written as NumPy names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Dtype {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Float16,
    Float32,
    Float64,
}

impl Dtype {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::Bool | Self::Int8 | Self::Uint8 => 1,
            Self::Int16 | Self::Uint16 | Self::Float16 => 2,
            Self::Int32 | Self::Uint32 | Self::Float32 => 4,
            Self::Int64 | Self::Uint64 | Self::Float64 => 8,
        }
    }

    /// NumPy's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Uint8 => "uint8",
            Self::Uint16 => "uint16",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
            Self::Float16 => "float16",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
        }
    }

    /// Whether it is a floating-point type.
    pub fn is_float(self) -> bool {
        matches!(self, Self::Float16 | Self::Float32 | Self::Float64)
    }

    /// Whether every number of `other` can be written in this type: integers as wider ones, and as
    /// floating-point numbers, which round.
    pub fn takes(self, other: Self) -> bool {
        let is_signed =
            |dtype| matches!(dtype, Self::Int8 | Self::Int16 | Self::Int32 | Self::Int64);
        self == other
            || self.is_float()
            || !other.is_float()
                && self != Self::Bool
                && match (is_signed(self), other == Self::Bool || !is_signed(other)) {
                    (true, true) => self.size() > other.size() || other == Self::Bool,
                    (false, false) => false,
                    _ => self.size() >= other.size(),
                }
    }

    /// Writes a number as one little-endian element.
    fn write(self, value: f64, whole: i64, to: &mut Vec<u8>) {
        match self {
            Self::Float16 => to.extend(f16::from_f64(value).to_le_bytes()),
            Self::Float32 => to.extend((value as f32).to_le_bytes()),
            Self::Float64 => to.extend(value.to_le_bytes()),
            _ => to.extend(&whole.to_le_bytes()[..self.size()]),
        }
    }

    /// The same numbers, of this type, in another that [`takes`](Self::takes) them.
    pub(super) fn convert(self, data: &[u8], into: Self) -> Vec<u8> {
        let size = self.size();
        let mut converted = Vec::with_capacity(data.len() / size * into.size());
        for bytes in data.chunks_exact(size) {
            into.write(self.read_f64(bytes), self.read_i64(bytes), &mut converted);
        }
        converted
    }

    /// One little-endian element of `size()` bytes as `f64`.
    pub(super) fn read_f64(self, bytes: &[u8]) -> f64 {
        match self {
            Self::Float16 => f16::from_le_bytes([bytes[0], bytes[1]]).to_f64(),
            Self::Float32 => f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]).into(),
            Self::Float64 => f64::from_bits(self.read_i64(bytes) as u64),
            Self::Uint64 => self.read_i64(bytes) as u64 as f64,
            _ => self.read_i64(bytes) as f64,
        }
    }

    /// One little-endian element as `i64`: sign-extended, except that the bits of 8-byte types are
    /// taken as they are.
    pub(super) fn read_i64(self, bytes: &[u8]) -> i64 {
        let signed = matches!(self, Self::Int8 | Self::Int16 | Self::Int32);
        let fill = if signed && bytes[bytes.len() - 1] >= 0x80 { 0xff } else { 0 };
        let mut wide = [fill; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        i64::from_le_bytes(wide)
    }
}

impl std::fmt::Display for Dtype {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
