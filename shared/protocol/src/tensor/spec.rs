//! What a model's input or output looks like.

use serde::{Deserialize, Serialize};

use super::{Dtype, Tensor};

/// One input or output of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Spec {
    /// Its name in the file.
    pub name: String,
    /// The type of its elements.
    pub dtype: Dtype,
    /// Its dimensions; `null` where any size is accepted.
    pub shape: Vec<Option<usize>>,
}

impl Spec {
    /// Whether a tensor of `shape` fits.
    pub fn fits(&self, shape: &[usize]) -> bool {
        self.shape.len() == shape.len()
            && self.shape.iter().zip(shape).all(|(want, is)| want.is_none_or(|want| want == *is))
    }

    /// Whether inputs of several callers can be stacked along the first dimension.
    pub fn is_batched(&self) -> bool {
        self.shape.first() == Some(&None) && !self.shape[1..].contains(&None)
    }

    /// Bytes of this tensor for `batch` rows; `None` when another dimension is open.
    pub fn bytes(&self, batch: usize) -> Option<usize> {
        let (first, rest) = match self.shape.split_first() {
            Some((first, rest)) => (first.unwrap_or(batch), rest),
            None => (1, &[][..]),
        };
        let rest = rest.iter().copied().collect::<Option<Vec<usize>>>()?;
        Tensor::elements(&rest)?.checked_mul(first)?.checked_mul(self.dtype.size())
    }

    /// The shape as people write it: `[N, 10]`.
    pub fn shape_text(&self) -> String {
        let dims: Vec<String> = self
            .shape
            .iter()
            .map(|dim| dim.map_or_else(|| "N".to_owned(), |size| size.to_string()))
            .collect();
        format!("[{}]", dims.join(", "))
    }
}
