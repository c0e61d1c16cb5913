//! The model and the images of the demo; `fixtures/README.md` says where they come from.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::value::RawValue;

/// An ONNX file: 64 pixels of 0 to 16 in, 10 probabilities out.
pub(super) const MODEL: &[u8] = include_bytes!("../../../../fixtures/digits.onnx");

const IMAGES: &str = include_str!("../../../../fixtures/digits.json");

/// An image of a digit that the model was not trained on.
#[derive(Deserialize)]
pub(super) struct Image {
    /// What it shows.
    pub(super) digit: u8,
    /// The tensor that the API takes.
    pub(super) input: Box<RawValue>,
}

/// All that are shipped.
pub(super) fn images() -> Result<Vec<Image>> {
    #[derive(Deserialize)]
    struct File {
        cases: Vec<Image>,
    }
    let file: File = serde_json::from_str(IMAGES).context("the demo's images are damaged")?;
    Ok(file.cases)
}

/// Pixels to type: a one, drawn by hand.
pub(super) fn example() -> String {
    let row = [0, 0, 0, 14, 14, 0, 0, 0];
    serde_json::json!(row.repeat(8)).to_string()
}
