//! Revisions of descriptions: each is kept as long as its model, so that a job's result is always
//! read with the labels and adapters that the job pinned.

use std::sync::Arc;

use ports::{Condition, Write};
use quick_cache::{Weighter, sync::Cache};
use serde::{Deserialize, Serialize};

use super::Description;
use crate::{App, Error, Result, table};

/// Descriptions up to this size are in their row; larger ones in a file beside it. In bytes of JSON.
const MAX_IN_ROW: usize = 8 * 1024;

/// What a process remembers of descriptions, in bytes of JSON.
const MAX_REMEMBERED: u64 = 32 << 20;

/// A revision's row, `MODEL#id / R#n`.
#[derive(Serialize, Deserialize)]
struct Row {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<Description>,
    /// Where the description is when it is large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blob: Option<String>,
}

/// Descriptions that were read, by `id/revision`; they never change.
pub(crate) struct Revisions(Cache<String, Remembered, BySize>);

type Remembered = (usize, Arc<Description>);

#[derive(Clone)]
struct BySize;

impl Weighter<String, Remembered> for BySize {
    fn weight(&self, _: &String, (bytes, _): &Remembered) -> u64 {
        // beside the text, what an entry takes in any case
        *bytes as u64 + 256
    }
}

impl Revisions {
    pub(crate) fn new() -> Self {
        Self(Cache::with_weighter(1_000, MAX_REMEMBERED, BySize))
    }
}

/// A revision of a model's description, as jobs pin it.
///
/// # Errors
/// `NoModel` when the model was deleted.
pub async fn description(app: &App, id: &str, revision: u32) -> Result<Arc<Description>> {
    let name = format!("{id}/{revision}");
    if let Some((_, description)) = app.caches().revisions.0.get(&name) {
        return Ok(description);
    }
    let key = table::model_revision(id, revision);
    let row: Option<Row> = table::load(&*app.ports.records, &key).await?;
    let row = row.ok_or_else(|| Error::no_model(id))?;
    let (bytes, description) = match (row.description, row.blob) {
        (Some(description), _) => (MAX_IN_ROW, description),
        (None, Some(blob)) => {
            let bytes = app.ports.blobs.get(&blob, None).await?;
            let bytes = bytes.ok_or_else(|| Error::no_model(id))?;
            (bytes.len(), serde_json::from_slice(&bytes).map_err(Error::internal)?)
        }
        (None, None) => (0, Description::default()),
    };
    let description = Arc::new(description);
    app.caches().revisions.0.insert(name, (bytes, description.clone()));
    Ok(description)
}

/// A description that is about to become a revision.
pub(super) struct Kept(Row);

/// Puts a description where it is kept; a large one is in a file when this returns.
pub(super) async fn keep(app: &App, id: &str, description: &Description) -> Result<Kept> {
    let bytes = serde_json::to_vec(description).map_err(Error::internal)?;
    if bytes.len() <= MAX_IN_ROW {
        return Ok(Kept(Row { description: Some(description.clone()), blob: None }));
    }
    // a name of its own: of two changes at once only one becomes the next revision
    let blob = format!("models/{id}/{}", app.ports.clock.id("description"));
    app.ports.blobs.put(&blob, bytes.into()).await?;
    Ok(Kept(Row { description: None, blob: Some(blob) }))
}

impl Kept {
    /// The write that makes it this revision.
    pub(super) fn write(&self, id: &str, revision: u32) -> Result<Write> {
        let key = table::model_revision(id, revision);
        Ok(Write::put(key, table::encode(&self.0)?, Condition::Absent))
    }

    /// Forgets it, because it did not become a revision.
    pub(super) async fn discard(self, app: &App) {
        if let Some(blob) = self.0.blob
            && let Err(cause) = app.ports.blobs.delete(&blob).await
        {
            tracing::warn!(%cause, blob, "a description that nobody needs was not deleted");
        }
    }
}
