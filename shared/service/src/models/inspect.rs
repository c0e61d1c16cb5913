//! Reading a model file, in the function `models-inspect`, apart from whoever asks.

use domain::model::Format;
use protocol::tensor::{Dtype, Spec};
use serde::{Deserialize, Serialize};

use super::{Shape, accept::Given};
use crate::{App, Error, INSPECT_FUNCTION, Result, Signature};

/// What `models-inspect` is asked.
#[derive(Serialize, Deserialize)]
pub struct InspectRequest {
    /// Where the file is.
    pub blob: String,
    /// As what it is read.
    pub format: Format,
}

/// What `models-inspect` answers.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inspected {
    /// The file is accepted.
    Accepted {
        /// What the model takes and gives; `None` when the file does not say.
        signature: Option<Signature>,
        /// What a run costs, when it was run.
        profile: Option<Profile>,
        /// Why it was not run.
        unprofiled: Option<String>,
    },
    /// Why it is not accepted, in a sentence for its owner.
    Refused(String),
    /// It was not read: others take the memory that there is, or it could not be got at.
    Unread,
}

/// The cause of an `Internal`: the file was not looked at, and nothing is said against it.
#[derive(Debug, thiserror::Error)]
#[error("other files are being looked at, or the file could not be got at")]
pub(super) struct Unread;

/// What one run of a model costs, measured at upload on zeros.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Median of a few runs, in milliseconds, on the machine that read the file.
    pub latency_ms: f64,
    /// Weights and the most that tensors take at one time, estimated, in bytes.
    pub memory_bytes: u64,
}

/// An accepted file.
#[derive(Clone)]
pub(super) struct Accepted {
    pub(super) signature: Signature,
    pub(super) profile: Option<Profile>,
    /// Sentences for the owner.
    pub(super) warnings: Vec<String>,
}

/// What is in a file, compared with what its owner says of it.
///
/// # Errors
/// `Invalid` for a file that is not accepted; `Internal` of [`Unread`] for one that was not looked at.
pub(super) async fn inspect(
    app: &App,
    blob: &str,
    format: Format,
    given: &Given,
) -> Result<Accepted> {
    if format == Format::Torchscript {
        // nothing in the file says so, and it is cheaper to ask before it is read
        declared(given)?;
    }
    let request = InspectRequest { blob: blob.to_owned(), format };
    let request = serde_json::to_vec(&request).map_err(Error::internal)?;
    let answer = app.ports.functions.call(INSPECT_FUNCTION, request.into()).await?;
    match serde_json::from_slice(&answer).map_err(Error::internal)? {
        Inspected::Refused(reason) => Err(Error::invalid("model", reason)),
        Inspected::Unread => Err(Error::internal(Unread)),
        Inspected::Accepted { signature, profile, unprofiled } => {
            let signature = match signature {
                Some(signature) => signature,
                None => declared(given)?,
            };
            given.agrees(&signature)?;
            let warnings = unprofiled.map(|why| format!("not tried at upload: {why}"));
            Ok(Accepted { signature, profile, warnings: warnings.into_iter().collect() })
        }
    }
}

/// The signature of a file that does not hold one, as its owner declares it: one float32 input and
/// output.
pub(super) fn declared(given: &Given) -> Result<Signature> {
    let spec = |name: &str, field: &str, shape: &Option<Shape>| {
        let shape = shape.clone().ok_or_else(|| {
            Error::invalid(
                field,
                "TorchScript files do not say their shapes; give both input_shape and output_shape, \
                 for example [null, 10] and [null, 2], where null stands for any size",
            )
        })?;
        Ok::<_, Error>(vec![Spec { name: name.to_owned(), dtype: Dtype::Float32, shape }])
    };
    Ok(Signature {
        inputs: spec("input", "input_shape", &given.input_shape)?,
        outputs: spec("output", "output_shape", &given.output_shape)?,
    })
}
