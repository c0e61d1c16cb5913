//! Tensors as the domain keeps them: JSON that it never looks into, in the item as it came.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

/// The wire form of named tensors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tensors(Arc<RawValue>);

impl Tensors {
    /// The tensors that serialise as `value`.
    ///
    /// # Errors
    /// When they do not.
    pub fn encode(value: &impl Serialize) -> serde_json::Result<Self> {
        Ok(Self(to_raw_value(value)?.into()))
    }

    /// The JSON text.
    pub fn text(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for Tensors {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}
