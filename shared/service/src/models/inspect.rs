//! Reading a model file, in the function `models-inspect`, apart from whoever asks.

use serde::{Deserialize, Serialize};

use crate::{App, Error, INSPECT_FUNCTION, Result, Signature};

/// What `models-inspect` is asked.
#[derive(Serialize, Deserialize)]
pub struct InspectRequest {
    /// Where the file is.
    pub blob: String,
}

/// What `models-inspect` answers.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inspected {
    /// What the model takes and gives.
    Signature(Signature),
    /// Why it is not accepted, in a sentence for its owner.
    Refused(String),
}

/// What is in a file.
///
/// # Errors
/// `Invalid` for a file that is not accepted.
pub(super) async fn inspect(app: &App, blob: &str) -> Result<Signature> {
    let request = InspectRequest { blob: blob.to_owned() };
    let request = serde_json::to_vec(&request).map_err(Error::internal)?;
    let answer = app.ports.functions.call(INSPECT_FUNCTION, request.into()).await?;
    match serde_json::from_slice(&answer).map_err(Error::internal)? {
        Inspected::Signature(signature) => Ok(signature),
        Inspected::Refused(reason) => Err(Error::invalid("model", reason)),
    }
}
