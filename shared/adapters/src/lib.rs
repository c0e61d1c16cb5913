//! Between the words of people and the tensors of models: what is done before a model
//! ([`Before`]) and behind it ([`After`]). Pure: no files, no clock, no network.
//!
//! Decoding, resizing and tokenising are crates'; the arithmetic (scale, normalise, softmax, top-k)
//! is a plan of the inference engine. Inputs and options come from strangers: whatever they are, the
//! answer is a value or a sentence, and memory is bounded.

mod after;
mod before;
mod image;
mod numbers;
mod options;
mod plan;
mod tabular;
mod text;

pub use after::After;
pub use before::{Before, Made, NotUsable};
