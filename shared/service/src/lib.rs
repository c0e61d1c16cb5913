//! Use cases: load, let the domain decide, commit, and tell who must know.
//!
//! Functions decode a request, call one of these, and encode the answer. Everything outside is
//! reached through the ports in [`App`].

pub mod access;
pub mod adapters;
mod app;
pub mod attempts;
pub mod batch;
mod cache;
pub mod datasets;
pub mod dead_letters;
pub mod devices;
mod engine;
mod error;
pub mod fleet;
pub mod fold;
pub mod health;
pub mod idempotency;
mod in_flight;
pub mod inference;
pub mod jobs;
pub mod models;
pub mod parked;
mod schema;
pub mod sessions;
pub mod sweep;
mod table;
pub mod tasks;
mod tensors;
mod time;
pub mod uploads;
mod usual;

pub use app::{App, Settings};
pub use engine::{Engine, Ran, Signature};
pub use error::{Error, Result};

/// The queue of jobs that wait for a device without a caller.
pub const WORK_QUEUE: &str = "work";

/// The queue of batches to look after.
pub const BATCH_QUEUE: &str = "batches";

/// The queue of sessions to look at again, soon after their socket closed.
pub const SESSIONS_QUEUE: &str = "sessions";

/// The queue of models and datasets whose file is complete and has not been looked at.
pub const UPLOADS_QUEUE: &str = "uploads";

/// The function that reads a model file and says what it is.
pub const INSPECT_FUNCTION: &str = "models-inspect";

/// The function that reads a dataset's file and says what it holds.
pub const DATASET_INSPECT_FUNCTION: &str = "datasets-inspect";

/// The function that makes tensors of what people write.
pub const PREPROCESS_FUNCTION: &str = "preprocess";

/// The function that puts a model's outputs into words.
pub const POSTPROCESS_FUNCTION: &str = "postprocess";

/// The id under which the platform's own device appears.
pub const OWN_DEVICE: &str = "dev_platform";
