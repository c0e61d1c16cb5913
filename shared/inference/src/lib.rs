//! Reading and running ONNX models, with tract.
//!
//! [`inspect`] says what a model takes and gives, or why it is refused; [`Network`] runs it. Bytes come
//! from strangers: whatever they are, the answer is a value or a sentence, never a panic.

mod allowed;
mod bounded;
mod dtype;
mod error;
mod file;
mod graph;
mod large;
mod network;
pub mod operators;
mod plan;
mod profile;
mod requests;
mod signature;
mod skeleton;
mod stack;
mod wire;
mod work;

pub use error::{Error, Refused};
pub use large::inspect_large;
pub use network::Network;
pub use profile::Profile;
pub use signature::{Report, Signature, inspect};
