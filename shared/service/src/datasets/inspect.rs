//! Reading a dataset's file, in the function `datasets-inspect`, apart from whoever asks.

use protocol::dataset::{Content, Format};
use serde::{Deserialize, Serialize};

use super::stored::{content_key, data_key, file_key, index_key};
use crate::{App, DATASET_INSPECT_FUNCTION, Error, Result};

/// What `datasets-inspect` is asked.
#[derive(Serialize, Deserialize)]
pub struct InspectRequest {
    /// Where the file is.
    pub file: String,
    /// As what it is read.
    pub format: Format,
    /// Where its rows go if they need another form.
    pub data: String,
    /// Where their offsets go if they need an index.
    pub index: String,
    /// Where what it holds goes, as JSON.
    pub content: String,
}

/// What `datasets-inspect` answers.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inspected {
    /// The file is accepted, and what was to be written is written.
    Accepted {
        /// How many rows it has.
        rows: u64,
        /// Whether the file itself is not needed any more.
        replaced: bool,
    },
    /// Why it is not accepted, in a sentence for its owner.
    Refused(String),
    /// It was not read: others take the room that there is, or it could not be got at.
    Unread,
}

/// The cause of an `Internal`: the file was not looked at, and nothing is said against it.
#[derive(Debug, thiserror::Error)]
#[error("other files are being looked at, or the file could not be got at")]
pub(super) struct Unread;

/// Has the file of a dataset read; how many rows it has.
///
/// # Errors
/// `Invalid` for a file that is refused, `Internal` with [`Unread`] for one that was not read.
pub(super) async fn inspect(app: &App, id: &str, format: Format) -> Result<u64> {
    let request = InspectRequest {
        file: file_key(id),
        format,
        data: data_key(id),
        index: index_key(id),
        content: content_key(id),
    };
    let request = serde_json::to_vec(&request).map_err(Error::internal)?;
    let answer = app.ports.functions.call(DATASET_INSPECT_FUNCTION, request.into()).await?;
    match serde_json::from_slice(&answer).map_err(Error::internal)? {
        Inspected::Accepted { rows, replaced } => {
            if replaced && let Err(cause) = app.ports.blobs.delete(&file_key(id)).await {
                // it goes with the dataset
                tracing::warn!(%cause, id, "the file of a dataset was not deleted");
            }
            Ok(rows)
        }
        Inspected::Refused(reason) => Err(Error::invalid("file", reason)),
        Inspected::Unread => Err(Error::internal(Unread)),
    }
}

/// What the file of a dataset holds, once it is ready.
pub(super) async fn content(app: &App, id: &str) -> Result<Content> {
    let bytes = app.ports.blobs.get(&content_key(id), None).await?;
    // deleted since its row was read
    let bytes = bytes.ok_or_else(|| Error::no_dataset(id))?;
    serde_json::from_slice(&bytes).map_err(Error::internal)
}
