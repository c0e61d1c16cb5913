//! An upload in one request: the file is there, and is read before the answer.

use bytes::Bytes;
use domain::{model::Status, name};
use ports::Checksum;
use protocol::{
    dataset::{Format, MAX_BYTES},
    rest::datasets as rest,
};

use super::{
    inspect::inspect,
    show,
    stored::{Record, file_key},
};
use crate::{
    App, Error, Result,
    idempotency::Commit,
    uploads::{Subject, note_at_once},
};

/// How long a dataset is kept unless its owner says otherwise, in days.
const USUAL_DAYS: u64 = 30;

/// The longest that it may be kept, in days.
const MAX_DAYS: u64 = 365;

/// What a form brought.
pub struct Upload {
    /// The file.
    pub bytes: Bytes,
    /// What is said of it.
    pub about: About,
}

/// What an owner says of a dataset.
#[derive(Default)]
pub struct About {
    /// Of the file, for name and format.
    pub file_name: Option<String>,
    /// By default the file's.
    pub name: Option<String>,
    /// By default what the file's extension says, else its first bytes.
    pub format: Option<String>,
    /// How long it is kept, in days.
    pub ttl_days: Option<u64>,
}

impl About {
    /// A new dataset's row, which says that nothing of its file came yet.
    ///
    /// # Errors
    /// `Invalid` with the field that is wrong.
    pub(super) fn record(
        self,
        app: &App,
        customer: &str,
        checksum: Checksum,
        size: u64,
        start: &[u8],
    ) -> Result<Record> {
        if size > MAX_BYTES {
            let message = format!("{size} bytes are over the limit of {MAX_BYTES}; split the file");
            return Err(Error::invalid("size", message));
        }
        let format = self.read_format(start)?;
        let stem = self.file_name.as_deref().and_then(|name| name.rsplit(['/', '\\']).next());
        let stem = stem.map(|name| name.rsplit_once('.').map_or(name, |(stem, _)| stem));
        let called = self.name.as_deref().or(stem).unwrap_or("dataset");
        let called = name::label(called).map_err(|why| Error::invalid("name", why.to_string()))?;
        let days = self.ttl_days.unwrap_or(USUAL_DAYS);
        if !(1..=MAX_DAYS).contains(&days) {
            let message = format!("expected 1 to {MAX_DAYS} days");
            return Err(Error::invalid("ttl_days", message));
        }
        let created_ms = app.now_ms();
        Ok(Record {
            id: app.ports.clock.id("dataset"),
            customer: customer.to_owned(),
            name: called.to_owned(),
            format,
            status: Status::Uploading,
            error: None,
            size,
            checksum: checksum.to_string(),
            rows: None,
            created_ms,
            expires_at: created_ms / 1000 + days * 24 * 3600,
            version: 1,
        })
    }

    /// The format as given, else by the file's extension, else by its first bytes.
    fn read_format(&self, start: &[u8]) -> Result<Format> {
        if let Some(name) = &self.format {
            return Format::parse(name).ok_or_else(|| {
                let message = format!("`{name}` is no format; use one of {}", Format::NAMES);
                Error::invalid("format", message)
            });
        }
        let extension = self.file_name.as_deref().and_then(|name| name.rsplit_once('.'));
        let named = extension.and_then(|(_, extension)| Format::parse(extension));
        named.or_else(|| Format::of_bytes(start)).ok_or_else(|| {
            let message =
                format!("missing; the file's name does not say it. Give one of {}", Format::NAMES);
            Error::invalid("format", message)
        })
    }
}

/// Takes a dataset in. A file that is refused leaves nothing.
///
/// # Errors
/// `Invalid` that says where the file is wrong.
pub async fn upload(
    app: &App,
    customer: &str,
    upload: Upload,
    commit: Commit,
) -> Result<rest::Summary> {
    let Upload { bytes, about } = upload;
    if bytes.is_empty() {
        return Err(Error::invalid("file", "the file is empty"));
    }
    let checksum = Checksum::of(&bytes);
    let mut record = about.record(app, customer, checksum, bytes.len() as u64, &bytes)?;
    let key = file_key(&record.id);
    let noted = note_at_once(app, Subject::dataset(&record.id), key.clone()).await?;
    let taken = async {
        app.ports.blobs.put(&key, bytes).await?;
        record.rows = Some(inspect(app, &record.id, record.format).await?);
        record.status = Status::Ready;
        let mut writes = record.create()?;
        writes.push(noted.settle());
        let shown = show::summary(&record);
        commit.write(app, writes, &shown).await?;
        Ok(shown)
    };
    let taken = taken.await;
    if taken.is_err()
        // nothing of a refused upload stays; a failure to tidy up must not hide the reason
        && let Err(cause) = noted.discard(app).await
    {
        tracing::warn!(%cause, "the file of a refused upload is removed later");
    }
    taken
}
