//! Inputs for many inferences: the same numbers in a request, in a file, and in memory.

use serde_json::{Value, json};

/// A model, and what an input of it is.
pub(super) struct Subject {
    pub(super) name: &'static str,
    /// In `fixtures/`.
    pub(super) file: &'static str,
    /// Of an input, without the batch.
    pub(super) row: &'static [usize],
    /// How many inputs are computed in one call in process, where that many can be.
    pub(super) stacked: usize,
}

/// A small dense network.
pub(super) const MLP: Subject =
    Subject { name: "MLP 10-32-2", file: "mlp.onnx", row: &[10], stacked: 64 };

/// A small convolutional network, whose file says that it takes one input at a time.
pub(super) const CNN: Subject =
    Subject { name: "CNN 1×8×8", file: "cnn.onnx", row: &[1, 8, 8], stacked: 1 };

impl Subject {
    pub(super) fn numbers(&self) -> usize {
        self.row.iter().product()
    }

    /// The shape of so many inputs.
    pub(super) fn shape(&self, inputs: usize) -> Vec<usize> {
        std::iter::once(inputs).chain(self.row.iter().copied()).collect()
    }

    /// So many inputs, one after the other.
    pub(super) fn values(&self, inputs: usize) -> Vec<f32> {
        self.hundredths(inputs).map(|number| number as f32 / 100.0).collect()
    }

    /// So many inputs as a request has them.
    pub(super) fn json(&self, inputs: usize) -> Value {
        let shape = self.shape(1);
        // as text they are short only as they are meant
        let values: Vec<f64> =
            self.hundredths(inputs).map(|number| f64::from(number) / 100.0).collect();
        let tensor = |data: &[f64]| json!({ "data": data, "shape": shape });
        values.chunks(self.numbers()).map(tensor).collect()
    }

    /// Their numbers, from 0 to 1.
    fn hundredths(&self, inputs: usize) -> impl Iterator<Item = u32> {
        let mut state = 1_u32;
        (0..inputs * self.numbers()).map(move |_| {
            // Numerical Recipes' generator: the same numbers each time
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % 101
        })
    }

    /// So many inputs as NumPy's file.
    /// <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>
    pub(super) fn npy(&self, inputs: usize) -> Vec<u8> {
        let shape: String = self.shape(inputs).iter().map(|size| format!("{size},")).collect();
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}");
        // magic, version, the header's length and the header have 128 bytes, and a newline ends them
        let mut file = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        file.extend(format!("{header:<117}\n").as_bytes());
        file.extend(self.values(inputs).iter().flat_map(|value| value.to_le_bytes()));
        file
    }
}
