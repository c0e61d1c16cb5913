//! Tensors as a safetensors file: how large inputs and outputs travel.
//! <https://huggingface.co/docs/safetensors/index#format>

use bytes::Bytes;
use safetensors::{SafeTensors, tensor::TensorView};

use super::{Dtype, Named, Tensor};

/// Why a file is not a list of tensors.
#[derive(Debug, thiserror::Error)]
#[error("not a safetensors file of plain tensors: {0}")]
pub struct Unreadable(String);

/// Writes the tensors as one safetensors file.
pub fn to_safetensors(tensors: &[Named]) -> Bytes {
    let views = tensors.iter().map(|named| {
        let tensor = &named.tensor;
        let view = TensorView::new(to_file(tensor.dtype), tensor.shape.clone(), &tensor.data)
            .expect("a Tensor's data always has the length of its shape");
        (named.name.as_str(), view)
    });
    safetensors::serialize(views, None).expect("the header of plain tensors is valid JSON").into()
}

/// Reads a safetensors file; the tensors share its memory.
///
/// # Errors
/// When the file is damaged or holds a type that [`Dtype`] lacks.
pub fn from_safetensors(file: &Bytes) -> Result<Vec<Named>, Unreadable> {
    let parsed = SafeTensors::deserialize(file).map_err(|error| Unreadable(error.to_string()))?;
    parsed
        .iter()
        .map(|(name, view)| {
            let dtype = from_file(view.dtype())
                .ok_or_else(|| Unreadable(format!("`{name}` has type {:?}", view.dtype())))?;
            let data = file.slice_ref(view.data());
            let tensor = Tensor { dtype, shape: view.shape().to_vec(), data };
            Ok(Named { name: name.to_owned(), tensor })
        })
        .collect()
}

const TYPES: [(Dtype, safetensors::Dtype); 12] = [
    (Dtype::Bool, safetensors::Dtype::BOOL),
    (Dtype::Int8, safetensors::Dtype::I8),
    (Dtype::Int16, safetensors::Dtype::I16),
    (Dtype::Int32, safetensors::Dtype::I32),
    (Dtype::Int64, safetensors::Dtype::I64),
    (Dtype::Uint8, safetensors::Dtype::U8),
    (Dtype::Uint16, safetensors::Dtype::U16),
    (Dtype::Uint32, safetensors::Dtype::U32),
    (Dtype::Uint64, safetensors::Dtype::U64),
    (Dtype::Float16, safetensors::Dtype::F16),
    (Dtype::Float32, safetensors::Dtype::F32),
    (Dtype::Float64, safetensors::Dtype::F64),
];

fn to_file(dtype: Dtype) -> safetensors::Dtype {
    TYPES.iter().find(|(ours, _)| *ours == dtype).expect("every type has a row").1
}

/// The type of that name in safetensors; `None` for one that [`Dtype`] lacks.
pub fn from_file(dtype: safetensors::Dtype) -> Option<Dtype> {
    TYPES.iter().find(|(_, theirs)| *theirs == dtype).map(|(ours, _)| *ours)
}
