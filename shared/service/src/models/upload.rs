//! An upload in one request: the file is there, and is looked at before the answer.

use bytes::Bytes;
use domain::model::Format;
use ports::Checksum;
use protocol::rest::models as rest;

use super::{About, Candidate, File, Given, Target, accept::accept};
use crate::{
    App, Error, Result,
    idempotency::Commit,
    uploads::{Subject, note_at_once},
};

/// What a form brought.
pub struct Upload {
    /// The file.
    pub bytes: Bytes,
    /// Of the part, for name and format.
    pub file_name: Option<String>,
    /// `onnx` or `torchscript`, when given.
    pub format: Option<String>,
    /// Compared with the file.
    pub given: Given,
    /// The model of which this is to be the next version.
    pub version_of: Option<String>,
    /// Name, placement, schemas, labels, adapters.
    pub about: About,
}

/// Takes the next version of a model in that the path names.
///
/// # Errors
/// `NotFound` when there is no such model; as [`upload`].
pub async fn upload_version(
    app: &App,
    customer: &str,
    id: &str,
    mut upload: Upload,
    commit: Commit,
) -> Result<rest::Summary> {
    match upload.version_of.replace(id.to_owned()) {
        Some(other) if other != id => {
            let message = format!("names another model than the path, `{id}`; leave it out");
            Err(Error::invalid("version_of", message))
        }
        _ => self::upload(app, customer, upload, commit).await.map_err(Error::in_path),
    }
}

/// Takes a model in, or the next version of one. A file that is refused leaves nothing.
pub async fn upload(
    app: &App,
    customer: &str,
    upload: Upload,
    commit: Commit,
) -> Result<rest::Summary> {
    let Upload { bytes, file_name, format, given, version_of, about } = upload;
    let format = read_format(format.as_deref(), file_name.as_deref())?;
    let target = Target::read(app, customer, version_of, about, file_name.as_deref()).await?;
    if bytes.is_empty() {
        return Err(Error::invalid("model", "the file is empty"));
    }
    let noted = note_at_once(app, Subject::model(target.id()), target.blob(app)).await?;
    let file = File {
        blob: noted.blob.clone(),
        checksum: Checksum::of(&bytes).to_string(),
        size: bytes.len() as u64,
        format,
    };
    let taken = async {
        app.ports.blobs.put(&noted.blob, bytes).await?;
        let candidate = Candidate { customer: customer.to_owned(), target, file, given };
        accept(app, candidate, &noted, commit).await
    };
    let accepted = taken.await;
    if accepted.is_err()
        // nothing of a refused upload stays; a failure to tidy up must not hide the reason
        && let Err(cause) = noted.discard(app).await
    {
        tracing::warn!(%cause, "the file of a refused upload is removed later");
    }
    accepted
}

/// The format as given, else by the file's extension.
pub(super) fn read_format(given: Option<&str>, file_name: Option<&str>) -> Result<Format> {
    let extension =
        file_name.and_then(|name| name.rsplit_once('.')).map(|(_, extension)| extension);
    match given.or(extension) {
        None | Some("onnx") => Ok(Format::Onnx),
        Some("torchscript" | "pt") => Ok(Format::Torchscript),
        Some(_) if given.is_none() => Ok(Format::Onnx),
        Some(other) => Err(Error::invalid(
            "format",
            format!("`{other}` is no format; use \"onnx\" or \"torchscript\""),
        )),
    }
}
