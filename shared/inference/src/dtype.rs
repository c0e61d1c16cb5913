//! Element types and tensors between the protocol and the engine.

use bytes::Bytes;
use protocol::tensor::{Dtype, Tensor};
use tract_onnx::prelude::{DatumType, IntoTValue, TValue, Tensor as Dense};

/// The engine's type for one of ours.
pub(crate) fn to_engine(dtype: Dtype) -> DatumType {
    match dtype {
        Dtype::Bool => DatumType::Bool,
        Dtype::Int8 => DatumType::I8,
        Dtype::Int16 => DatumType::I16,
        Dtype::Int32 => DatumType::I32,
        Dtype::Int64 => DatumType::I64,
        Dtype::Uint8 => DatumType::U8,
        Dtype::Uint16 => DatumType::U16,
        Dtype::Uint32 => DatumType::U32,
        Dtype::Uint64 => DatumType::U64,
        Dtype::Float16 => DatumType::F16,
        Dtype::Float32 => DatumType::F32,
        Dtype::Float64 => DatumType::F64,
    }
}

/// Our type for one of the engine's; `None` for text and complex numbers.
pub(crate) fn from_engine(dtype: DatumType) -> Option<Dtype> {
    Some(match dtype.unquantized() {
        DatumType::Bool => Dtype::Bool,
        DatumType::I8 => Dtype::Int8,
        DatumType::I16 => Dtype::Int16,
        DatumType::I32 => Dtype::Int32,
        // a dimension that the engine computes with stands for an int64 of the model
        DatumType::I64 | DatumType::TDim => Dtype::Int64,
        DatumType::U8 => Dtype::Uint8,
        DatumType::U16 => Dtype::Uint16,
        DatumType::U32 => Dtype::Uint32,
        DatumType::U64 => Dtype::Uint64,
        DatumType::F16 => Dtype::Float16,
        DatumType::F32 => Dtype::Float32,
        DatumType::F64 => Dtype::Float64,
        _ => return None,
    })
}

/// A value for the engine: its own aligned copy of the tensor.
pub(crate) fn value(tensor: &Tensor) -> Result<TValue, String> {
    // any other byte would not be a `bool`
    if tensor.dtype == Dtype::Bool && tensor.data.iter().any(|byte| *byte > 1) {
        return Err("a bool must be 0 or 1".to_owned());
    }
    let mut dense = Dense::zero_dt(to_engine(tensor.dtype), &tensor.shape)
        .map_err(|error| error.to_string())?;
    let bytes = dense.as_bytes_mut();
    if bytes.len() != tensor.data.len() {
        return Err(format!("{} bytes do not fill {:?}", tensor.data.len(), tensor.shape));
    }
    bytes.copy_from_slice(&tensor.data);
    Ok(dense.into_tvalue())
}

/// The engine's value as one of ours, without copying it.
pub(crate) fn tensor(value: TValue) -> Result<Tensor, String> {
    let dtype = from_engine(value.datum_type())
        .ok_or_else(|| format!("{:?} is not an element type of tensors", value.datum_type()))?;
    let value = if value.datum_type() == DatumType::TDim {
        value.cast_to_dt(DatumType::I64).map_err(crate::error::engine)?.into_owned().into_tvalue()
    } else {
        value
    };
    if !value.is_plain_ram() {
        return Err("the output is in the engine's own layout".to_owned());
    }
    let shape = value.shape().to_vec();
    Ok(Tensor { dtype, shape, data: Bytes::from_owner(Shared(value)) })
}

/// Keeps the engine's tensor alive for as long as its bytes are used.
struct Shared(TValue);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
