//! Files on their way: a row for each, written before the file, which says when somebody is to look
//! after it. Only with this row can the file become what it is for, and only if it did not is it
//! removed.

use ports::{Condition, Key, Write};
use serde::{Deserialize, Serialize};

use crate::{App, Result, datasets, table};

/// A file that came in one request is on record, or refused, long before this.
const AT_ONCE_MS: u64 = 15 * 60 * 1000;

/// A file that could not be removed is tried again after this.
const AGAIN_MS: u64 = 60_000;

/// What a file is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Subject {
    /// A version of a model.
    Version {
        /// The model's id.
        model: String,
        /// The version's, once that is on record.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<u32>,
    },
    /// A dataset.
    Dataset {
        /// The dataset's id.
        dataset: String,
    },
}

/// A file on its way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// What it is for.
    #[serde(flatten)]
    pub(crate) subject: Subject,
    /// Where the file is, or will be.
    pub(crate) blob: String,
    /// When it is looked after, in epoch milliseconds.
    pub(crate) due_ms: u64,
    /// Of the row: above 1, its file is being removed.
    version: u64,
}

/// Notes a file that is about to be made in one request.
pub(crate) async fn note_at_once(app: &App, subject: Subject, blob: String) -> Result<Pending> {
    note(app, subject, blob, AT_ONCE_MS).await
}

/// Notes a file that is about to be made within `ms`; on disk when this returns.
pub(crate) async fn note(app: &App, subject: Subject, blob: String, ms: u64) -> Result<Pending> {
    let due_ms = app.now_ms() + ms;
    let pending = Pending { subject, blob, due_ms, version: 1 };
    let token = app.ports.records.write(pending.put(Condition::Absent)?).await?;
    app.ports.records.durable(token).await?;
    Ok(pending)
}

/// The write that notes a file of what was deleted which could not be removed: the timer tries again.
pub(crate) fn note_left(app: &App, subject: Subject, blob: String) -> Result<Write> {
    let due_ms = app.now_ms() + AGAIN_MS;
    let pending = Pending { subject, blob, due_ms, version: 1 };
    pending.put(Condition::Always)
}

impl Subject {
    /// A version of a model that is not on record yet.
    pub(crate) fn model(id: &str) -> Self {
        Self::Version { model: id.to_owned(), number: None }
    }

    /// A dataset.
    pub(crate) fn dataset(id: &str) -> Self {
        Self::Dataset { dataset: id.to_owned() }
    }
}

impl Pending {
    fn key(&self) -> Key {
        table::pending(self.due_ms, &self.blob)
    }

    fn put(&self, condition: Condition) -> Result<Write> {
        Ok(Write::put(self.key(), table::encode(self)?, condition))
    }

    /// Of the transaction that makes the file what it is for: fails once the file is being removed.
    pub(crate) fn settle(&self) -> Write {
        Write::delete(self.key(), Condition::Version(1))
    }

    /// Of the transaction that puts on record what the file is for: the row as it is then, and the
    /// write.
    pub(crate) fn announce(&self, subject: Subject) -> Result<(Self, Write)> {
        let announced = Self { subject, ..self.clone() };
        let write = announced.put(Condition::Version(1))?;
        Ok((announced, write))
    }

    /// Of the transaction that has an announced file looked after at another time: the row as it is
    /// then, and the writes.
    pub(crate) fn postpone(&self, due_ms: u64) -> Result<(Self, [Write; 2])> {
        // a key of its own: one transaction does not write an item twice
        let due_ms = if due_ms == self.due_ms { due_ms + 1 } else { due_ms };
        let later = Self { due_ms, ..self.clone() };
        let noted = later.put(Condition::Absent)?;
        Ok((later, [self.settle(), noted]))
    }

    /// Removes whatever there is of the file and was made of it, and then this row; nothing if the file
    /// became what it is for just now, or is about to.
    pub(crate) async fn discard(&self, app: &App) -> Result<()> {
        // from here on the file cannot become anything
        let mark = Write::update(self.key(), Default::default(), Condition::Version(self.version));
        let marked = table::unless_failed(app.ports.records.write(mark).await)?;
        let Ok(token) = marked else { return Ok(()) };
        app.ports.records.durable(token).await?;
        match &self.subject {
            Subject::Version { .. } => remove_file(app, &self.blob).await?,
            Subject::Dataset { dataset } => datasets::remove_files(app, dataset).await?,
        }
        app.ports.records.write(Write::delete(self.key(), Condition::Always)).await?;
        Ok(())
    }
}

/// Removes a file, and every unfinished upload of it.
pub(crate) async fn remove_file(app: &App, blob: &str) -> Result<()> {
    remove_parts(app, blob).await?;
    Ok(app.ports.blobs.delete(blob).await?)
}

/// Removes every unfinished upload of a file.
pub(crate) async fn remove_parts(app: &App, blob: &str) -> Result<()> {
    let blobs = &app.ports.blobs;
    for upload in blobs.unfinished_uploads(blob).await? {
        blobs.abort_upload(blob, &upload).await?;
    }
    Ok(())
}
