//! Deleting a dataset: its row first, so that nobody begins to read it, then its files, and what a crash
//! leaves of that by way of the change feed, which also does it for those whose time is over.

use ports::{Condition, Write};

use super::stored::{self, Record, content_key, data_key, file_key, index_key};
use crate::{
    App, Error, Result, table,
    uploads::{Subject, note_left, remove_file},
};

/// Removes a dataset, in whatever state it is. Batches that still read it fail.
pub async fn delete(app: &App, customer: &str, id: &str) -> Result<()> {
    let record = stored::read(app, customer, id).await?;
    let writes = vec![
        Write::delete(table::dataset(id), Condition::Exists),
        Write::delete(table::owned(customer, "DATASET", id), Condition::Always),
    ];
    let token = table::unless_failed(app.ports.records.transact(writes).await)?;
    let token = token.map_err(|_| Error::no_dataset(id))?;
    app.ports.records.durable(token).await?;
    if let Err(cause) = clear(app, &record).await {
        tracing::warn!(%cause, id, "what a deleted dataset leaves is cleared later");
    }
    Ok(())
}

/// Removes a dataset if it is as it was read; whether it was. Its files are left to the caller.
pub(super) async fn unchanged(app: &App, record: &Record) -> Result<bool> {
    let Record { id, customer, version, .. } = record;
    let writes = vec![
        Write::delete(table::dataset(id), Condition::Version(*version)),
        Write::delete(table::owned(customer, "DATASET", id), Condition::Always),
        Write::delete(table::dataset_upload(id), Condition::Always),
    ];
    crate::uploads::commit(app, writes).await
}

/// Removes what a removed dataset leaves. Files that cannot be deleted now are left to the timer: the
/// feed does not wait for them.
pub(crate) async fn clear(app: &App, record: &Record) -> Result<()> {
    let Record { id, customer, .. } = record;
    app.caches().datasets.remove(id);
    let mut writes = vec![
        Write::delete(table::owned(customer, "DATASET", id), Condition::Always),
        Write::delete(table::dataset_upload(id), Condition::Always),
    ];
    if let Err(cause) = remove_files(app, id).await {
        tracing::warn!(%cause, id, "the files of a removed dataset are deleted later");
        writes.push(note_left(app, Subject::dataset(id), file_key(id))?);
    }
    app.ports.records.transact(writes).await?;
    Ok(())
}

/// Removes every file of a dataset, and every unfinished upload of one.
pub(crate) async fn remove_files(app: &App, id: &str) -> Result<()> {
    for key in [file_key(id), data_key(id), index_key(id), content_key(id)] {
        remove_file(app, &key).await?;
    }
    Ok(())
}
