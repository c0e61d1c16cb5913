//! Files on their way: a row for each, written before the file, which says when somebody is to look
//! after it. Only with this row can the file become a version, and only without such a version is it
//! removed.

use ports::{Condition, Key, Write};
use serde::{Deserialize, Serialize};

use crate::{App, Result, models::Target, table};

/// A file that came in one request is a version, or refused, long before this.
const AT_ONCE_MS: u64 = 15 * 60 * 1000;

/// A file that could not be removed is tried again after this.
const AGAIN_MS: u64 = 60_000;

/// A file on its way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::models) struct Pending {
    /// The model's id.
    pub(super) model: String,
    /// The version that the file is to become, once that is on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) number: Option<u32>,
    /// Where the file is, or will be.
    pub(super) blob: String,
    /// When it is looked after, in epoch milliseconds.
    pub(super) due_ms: u64,
    /// Of the row: above 1, its file is being removed.
    version: u64,
}

/// Notes a file that is about to be made in one request.
pub(in crate::models) async fn note_at_once(app: &App, target: &Target) -> Result<Pending> {
    note(app, target, AT_ONCE_MS).await
}

/// Notes a file that is about to be made within `ms`; on disk when this returns.
pub(super) async fn note(app: &App, target: &Target, ms: u64) -> Result<Pending> {
    let (model, blob) = (target.id().to_owned(), target.blob(app));
    let due_ms = app.now_ms() + ms;
    let pending = Pending { model, number: None, blob, due_ms, version: 1 };
    let token = app.ports.records.write(pending.put(Condition::Absent)?).await?;
    app.ports.records.durable(token).await?;
    Ok(pending)
}

/// The write that notes a file of a deleted model which could not be removed: the timer tries again.
pub(in crate::models) fn note_left(app: &App, model: &str, blob: String) -> Result<Write> {
    let due_ms = app.now_ms() + AGAIN_MS;
    let pending = Pending { model: model.to_owned(), number: None, blob, due_ms, version: 1 };
    pending.put(Condition::Always)
}

impl Pending {
    /// Where the file is, or will be.
    pub(in crate::models) fn blob(&self) -> &str {
        &self.blob
    }

    fn key(&self) -> Key {
        table::pending(self.due_ms, &self.blob)
    }

    fn put(&self, condition: Condition) -> Result<Write> {
        Ok(Write::put(self.key(), table::encode(self)?, condition))
    }

    /// Of the transaction that makes the file a version: fails once the file is being removed.
    pub(in crate::models) fn settle(&self) -> Write {
        Write::delete(self.key(), Condition::Version(1))
    }

    /// Of the transaction that puts the version on record whose file this is to become: the row as it
    /// is then, and the write.
    pub(super) fn announce(&self, number: u32) -> Result<(Self, Write)> {
        let announced = Self { number: Some(number), ..self.clone() };
        let write = announced.put(Condition::Version(1))?;
        Ok((announced, write))
    }

    /// Of the transaction that has an announced file looked after at another time: the row as it is
    /// then, and the writes.
    pub(super) fn postpone(&self, due_ms: u64) -> Result<(Self, [Write; 2])> {
        // a key of its own: one transaction does not write an item twice
        let due_ms = if due_ms == self.due_ms { due_ms + 1 } else { due_ms };
        let later = Self { due_ms, ..self.clone() };
        let noted = later.put(Condition::Absent)?;
        Ok((later, [self.settle(), noted]))
    }

    /// Removes whatever there is of the file, and then this row; nothing if the file became a version
    /// just now, or is about to.
    pub(in crate::models) async fn discard(&self, app: &App) -> Result<()> {
        // from here on the file cannot become a version
        let mark = Write::update(self.key(), Default::default(), Condition::Version(self.version));
        let marked = table::unless_failed(app.ports.records.write(mark).await)?;
        let Ok(token) = marked else { return Ok(()) };
        app.ports.records.durable(token).await?;
        remove_file(app, &self.blob).await?;
        app.ports.records.write(Write::delete(self.key(), Condition::Always)).await?;
        Ok(())
    }
}

/// Removes a file, and every unfinished upload of it.
pub(in crate::models) async fn remove_file(app: &App, blob: &str) -> Result<()> {
    remove_parts(app, blob).await?;
    Ok(app.ports.blobs.delete(blob).await?)
}

/// Removes every unfinished upload of a file.
pub(super) async fn remove_parts(app: &App, blob: &str) -> Result<()> {
    let blobs = &app.ports.blobs;
    for upload in blobs.unfinished_uploads(blob).await? {
        blobs.abort_upload(blob, &upload).await?;
    }
    Ok(())
}
