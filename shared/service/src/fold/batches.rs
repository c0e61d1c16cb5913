//! Batches whose chunks ended are looked after; what is left of a batch goes with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use domain::{
    batch::{Batch, Source},
    job::Job,
};
use ports::Place;

use crate::{App, Result, batch};

/// How many chunks one message names: it holds 256 KB.
const NAMED: usize = 10_000;

/// Tells each batch which of its chunks ended, in one message.
pub(super) async fn wake(app: &App, ended: &[(Place, Arc<Job>)]) -> Result<()> {
    let mut batches: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
    for (_, job) in ended {
        if let Some(chunk) = &job.chunk {
            batches.entry(&chunk.batch).or_default().insert(chunk.number);
        }
    }
    for (id, numbers) in batches {
        let numbers: Vec<u32> = numbers.into_iter().collect();
        for numbers in numbers.chunks(NAMED) {
            batch::wake(app, id, numbers).await?;
        }
    }
    Ok(())
}

/// Deletes the inputs of batches that are removed. A file that cannot be deleted is left there: the
/// feed does not wait for it.
pub(super) async fn clear(app: &App, removed: &[Arc<Batch>]) -> Result<()> {
    for batch in removed {
        let Source::Body(file) = &batch.source else { continue };
        if let Err(cause) = app.ports.blobs.delete(&file.key).await {
            let key = &file.key;
            tracing::warn!(%cause, key, batch = batch.id, "a file of a removed batch was not deleted");
        }
    }
    Ok(())
}
