//! The files of jobs that are removed: the object store has no expiry of its own.

use std::sync::Arc;

use domain::job::{Input, Job, Output};

use crate::{App, OWN_DEVICE, Result, attempts, batch, jobs};

/// Deletes what these jobs left in the object store. A file that cannot be deleted is left there:
/// the feed does not wait for it.
pub(super) async fn fold(app: &App, removed: &[Arc<Job>]) -> Result<()> {
    for job in removed {
        let mut files = outputs(job);
        if let Input::Blob(file) = &job.input {
            // an Idempotency-Key that is used again makes a job with the same id
            if jobs::load(app, &job.id).await?.is_none() {
                files.push(file.key.clone());
            }
        }
        files.extend(batch::refused_of(job));
        for key in files {
            if let Err(cause) = app.ports.blobs.delete(&key).await {
                tracing::warn!(%cause, key, job = job.id, "a file of a removed job was not deleted");
            }
        }
    }
    Ok(())
}

/// Where results may lie: the one that counts, and those that devices stored and nobody took. A
/// result in the table says that none was stored by the attempt that won.
fn outputs(job: &Job) -> Vec<String> {
    let result = job.outcome.as_ref().map(|outcome| &outcome.result);
    let in_table = matches!(result, Some(Output::Inline(_) | Output::Beside));
    let won = job.outcome.as_ref().map(|outcome| &outcome.fence);
    let mut files: Vec<_> = job
        .attempts
        .iter()
        .filter(|attempt| attempt.device != OWN_DEVICE)
        .filter(|attempt| !(in_table && won == Some(&attempt.fence)))
        .map(|attempt| attempts::outputs_key(&job.id, &attempt.fence))
        .collect();
    if let Some(Output::Blob(file)) = result {
        files.push(file.key.clone());
    }
    files
}
