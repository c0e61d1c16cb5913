//! Numbers as elements of tensors.

use std::fmt;

use half::f16;
use protocol::tensor::{Dtype, Named, Spec, Tensor};

/// A number as it was given: whole ones of 64 bits do not fit in a float.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    /// Of any integer type.
    Whole(i128),
    Float(f64),
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
        }
    }
}

/// Appends a number as one little-endian element. The error is a sentence without a subject.
pub(crate) fn push(data: &mut Vec<u8>, dtype: Dtype, number: Number) -> Result<(), String> {
    let value = match number {
        Number::Whole(value) => value as f64,
        Number::Float(value) => value,
    };
    match dtype {
        Dtype::Float32 => {
            finite(data, value, (value as f32).is_finite(), (value as f32).to_le_bytes())
        }
        Dtype::Float64 => finite(data, value, value.is_finite(), value.to_le_bytes()),
        Dtype::Float16 => {
            let half = f16::from_f64(value);
            finite(data, value, half.is_finite(), half.to_le_bytes())
        }
        Dtype::Bool if value == 0.0 || value == 1.0 => {
            data.push(value as u8);
            Ok(())
        }
        Dtype::Bool => Err(format!("expected a bool, 0 or 1, got {value}")),
        _ => whole(data, dtype, number),
    }
}

fn finite<const N: usize>(
    data: &mut Vec<u8>,
    value: f64,
    fits: bool,
    bytes: [u8; N],
) -> Result<(), String> {
    if !fits {
        return Err(format!("{value} is too large for the model's type"));
    }
    data.extend_from_slice(&bytes);
    Ok(())
}

fn whole(data: &mut Vec<u8>, dtype: Dtype, number: Number) -> Result<(), String> {
    let bits = dtype.size() * 8;
    let signed = matches!(dtype, Dtype::Int8 | Dtype::Int16 | Dtype::Int32 | Dtype::Int64);
    let (low, above) = match signed {
        true => (-(1i128 << (bits - 1)), 1 << (bits - 1)),
        false => (0, 1 << bits),
    };
    let value = match number {
        Number::Whole(value) => Some(value),
        Number::Float(value) => (value.fract() == 0.0).then_some(value as i128),
    };
    match value.filter(|value| (low..above).contains(value)) {
        Some(value) => data.extend_from_slice(&value.to_le_bytes()[..dtype.size()]),
        None => return Err(format!("expected a whole number of type {dtype}, got {number}")),
    }
    Ok(())
}

/// The shape of one of the model's inputs for so many rows, if it takes so many. The error is a
/// sentence.
pub(crate) fn batched(spec: &Spec, rows: usize) -> Result<Vec<usize>, String> {
    match spec.shape.first() {
        Some(Some(fixed)) if *fixed != rows => Err(format!(
            "the model takes exactly {fixed} at a time, got {rows}; its first dimension is not open"
        )),
        _ => Ok([rows].into_iter().chain(spec.shape.iter().skip(1).flatten().copied()).collect()),
    }
}

/// A tensor for one of the model's inputs.
pub(crate) fn named(spec: &Spec, shape: Vec<usize>, data: Vec<u8>) -> Named {
    let tensor = Tensor { dtype: spec.dtype, shape, data: data.into() };
    Named { name: spec.name.clone(), tensor }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn bytes(dtype: Dtype, value: f64) -> Result<Vec<u8>, String> {
        let mut data = Vec::new();
        push(&mut data, dtype, Number::Float(value)).map(|()| data)
    }

    #[test]
    fn numbers_have_the_type_of_the_model() {
        assert_eq!(bytes(Dtype::Float32, 0.5).unwrap(), 0.5f32.to_le_bytes());
        assert_eq!(bytes(Dtype::Float16, 0.5).unwrap(), [0x00, 0x38]);
        assert_eq!(bytes(Dtype::Int64, -2.0).unwrap(), (-2i64).to_le_bytes());
        assert_eq!(bytes(Dtype::Int8, -128.0).unwrap(), [0x80]);
        assert_eq!(bytes(Dtype::Uint8, 255.0).unwrap(), [0xff]);
        assert_eq!(bytes(Dtype::Bool, 1.0).unwrap(), [1]);
        for (dtype, value, word) in [
            (Dtype::Int64, 0.5, "whole number of type int64"),
            (Dtype::Uint8, 256.0, "whole number of type uint8"),
            (Dtype::Uint8, -1.0, "whole"),
            (Dtype::Int64, 1e19, "whole"),
            (Dtype::Bool, 2.0, "0 or 1"),
            (Dtype::Float16, 1e6, "too large"),
            (Dtype::Float32, 1e39, "too large"),
            (Dtype::Int32, f64::NAN, "whole"),
        ] {
            assert!(bytes(dtype, value).unwrap_err().contains(word), "{dtype} {value}");
        }
    }

    #[test]
    fn whole_numbers_of_64_bits_stay_exact() {
        let bytes = |dtype, value| {
            let mut data = Vec::new();
            push(&mut data, dtype, Number::Whole(value)).map(|()| data)
        };
        let odd = 9_007_199_254_740_993_i64;
        assert_eq!(bytes(Dtype::Int64, odd.into()).unwrap(), odd.to_le_bytes());
        assert_eq!(bytes(Dtype::Int64, i64::MIN.into()).unwrap(), i64::MIN.to_le_bytes());
        assert_eq!(bytes(Dtype::Uint64, u64::MAX.into()).unwrap(), u64::MAX.to_le_bytes());
        assert_eq!(bytes(Dtype::Float32, 3).unwrap(), 3f32.to_le_bytes());
        assert_eq!(bytes(Dtype::Bool, 1).unwrap(), [1]);
        let reason = bytes(Dtype::Int64, u64::MAX.into()).unwrap_err();
        assert!(reason.contains("got 18446744073709551615"), "{reason}");
    }
}
