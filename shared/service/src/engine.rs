//! The platform's own device: computing inside the calling function.

use async_trait::async_trait;
use bytes::Bytes;
use protocol::tensor::{Named, Spec};
use serde::{Deserialize, Serialize};

/// What a model file takes and gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Its inputs, in the file's order.
    pub inputs: Vec<Spec>,
    /// Its outputs, in the file's order.
    pub outputs: Vec<Spec>,
}

/// Runs models in this process. Reached through this trait, so that only the functions that need
/// an engine carry one.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Whether there is memory for a model whose file has so many bytes.
    fn takes(&self, bytes: u64) -> bool;

    /// Whether the model is loaded, so that `run` needs no bytes.
    fn has(&self, checksum: &str) -> bool;

    /// Loads the model; a sentence for its owner if it cannot be.
    async fn load(&self, checksum: &str, bytes: Bytes) -> Result<(), String>;

    /// Runs a loaded model. Also answers the milliseconds it waited and computed.
    async fn run(&self, checksum: &str, inputs: Vec<Named>) -> Result<Ran, String>;

    /// Runs a loaded model on a stack of requests. The outputs are stacked too, with those that failed
    /// beside them (`protocol::tensor::Answers`); also answers how many those are.
    async fn run_stacked(&self, checksum: &str, inputs: Vec<Named>) -> Result<(Ran, u32), String>;
}

/// What a run gave.
pub struct Ran {
    /// The model's outputs.
    pub outputs: Vec<Named>,
    /// Waiting for a free core, in milliseconds.
    pub queue_ms: f64,
    /// Computing, in milliseconds.
    pub compute_ms: f64,
}
