//! Deleting a model: the head and the list's pointer go first, so nothing can use or change it any
//! more; then the rest of it, and what a crash leaves of that by way of the change feed.

use domain::job::Failure;
use ports::{Condition, Key, Query, Write};
use serde::Deserialize;

use super::{Head, find};
use crate::{
    App, Error, Result, table,
    uploads::{Subject, note_left, remove_file},
};

/// Removes a model; jobs that still run it fail cleanly when a device asks for its file.
pub async fn delete(app: &App, customer: &str, id: &str) -> Result<()> {
    find::read(app, customer, id).await.map_err(Error::in_path)?;
    let writes = vec![
        Write::delete(table::model(id), Condition::Exists),
        Write::delete(table::owned(customer, "MODEL", id), Condition::Always),
    ];
    let token = table::unless_failed(app.ports.records.transact(writes).await)?;
    app.caches().models.remove(id);
    let token = token.map_err(|_| Error::no_model(id).in_path())?;
    app.ports.records.durable(token).await?;
    if let Err(cause) = clear(app, id).await {
        tracing::warn!(%cause, id, "what a deleted model leaves is cleared later");
    }
    Ok(())
}

/// Removes a model if it is as it was read; whether it was.
pub(super) async fn unchanged(app: &App, head: &Head) -> Result<bool> {
    let writes = vec![
        Write::delete(table::model(&head.id), Condition::Version(head.changes)),
        Write::delete(table::owned(&head.customer, "MODEL", &head.id), Condition::Always),
    ];
    let written = table::unless_failed(app.ports.records.transact(writes).await)?;
    app.caches().models.remove(&head.id);
    let Ok(token) = written else { return Ok(false) };
    app.ports.records.durable(token).await?;
    Ok(true)
}

/// Why a job fails whose model was deleted.
pub(crate) fn deleted(id: &str) -> Failure {
    let message = format!("the model `{id}` was deleted before the job had its result");
    Failure { code: "NO_MODEL".to_owned(), message }
}

/// A row of a version or revision, as far as it matters here.
#[derive(Default, Deserialize)]
struct Row {
    blob: Option<String>,
}

/// Removes the versions and revisions of a deleted model, and their files. A file that cannot be
/// deleted now is left to the timer: the feed does not wait for it.
pub(crate) async fn clear(app: &App, id: &str) -> Result<()> {
    let records = &*app.ports.records;
    loop {
        let page = records.query(Query::new(table::model_rows(id), "", 100)).await?;
        if page.items.is_empty() {
            return Ok(());
        }
        for (sort, item) in page.items {
            let key = Key::new(table::model_rows(id), sort);
            let row: Row = table::readable(&key, &item).unwrap_or_default();
            let mut writes = vec![Write::delete(key, Condition::Always)];
            // before its row, which is how it is found
            if let Some(blob) = row.blob
                && let Err(cause) = remove_file(app, &blob).await
            {
                tracing::warn!(%cause, blob, "a file of a removed model is deleted later");
                writes.push(note_left(app, Subject::model(id), blob)?);
            }
            records.transact(writes).await?;
        }
    }
}
