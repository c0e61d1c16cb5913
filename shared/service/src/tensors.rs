//! Tensors as files of the object store: what is too large for a job's item, a message or a call.

use domain::job::StoredFile;
use ports::Checksum;
use protocol::tensor::{self, Named};

use crate::{App, Error, Result};

/// Stores tensors as a safetensors file.
pub(crate) async fn store(app: &App, key: String, tensors: &[Named]) -> Result<StoredFile> {
    let file = tensor::to_safetensors(tensors);
    let checksum = Checksum::of(&file).to_string();
    let stored = StoredFile { key, checksum, bytes: file.len() as u64 };
    app.ports.blobs.put(&stored.key, file).await?;
    Ok(stored)
}

/// The tensors of a file; `None` when there is no such file.
///
/// # Errors
/// When the file does not have its checksum.
pub(crate) async fn load(app: &App, file: &StoredFile) -> Result<Option<Vec<Named>>> {
    let Some(bytes) = app.ports.blobs.get(&file.key, None).await? else { return Ok(None) };
    if Checksum::of(&bytes).to_string() != file.checksum {
        return Err(Error::internal("a file of tensors does not have its checksum"));
    }
    tensor::from_safetensors(&bytes).map(Some).map_err(Error::internal)
}
