//! Where the file of a version is fetched from.

use std::time::Duration;

use ports::Method;

use super::{Version, find, find_pinned};
use crate::{App, Error, Result, jobs};

/// How long a presigned download is good for.
const EXPIRES: Duration = Duration::from_secs(300);

/// A URL from which the customer downloads the file of a ready version, the newest unless one is
/// named; `base` is where they reached the platform.
pub async fn download(
    app: &App,
    customer: &str,
    reference: &str,
    version: Option<u32>,
    base: &str,
) -> Result<String> {
    let (id, number) = find::named(reference, version)?;
    let record = find::find_number(app, customer, id, number).await.map_err(Error::in_path)?;
    presign(app, &record.version, base)
}

/// A URL from which a device downloads the file of a task that it holds: of the version that the
/// task's job pins.
pub async fn download_for_task(
    app: &App,
    device: &str,
    id: &str,
    task: &str,
    base: &str,
) -> Result<String> {
    let job = jobs::load(app, task).await?;
    let holds = |job: &domain::job::Job| {
        job.model.id == id && job.working().any(|attempt| attempt.device == device)
    };
    let job = job.filter(holds).ok_or_else(|| {
        Error::NotFound(format!("this device holds no task `{task}` with the model `{id}`"))
    })?;
    let record = find_pinned(app, &job.customer, &job.model).await.map_err(Error::in_path)?;
    presign(app, &record.version, base)
}

fn presign(app: &App, version: &Version, base: &str) -> Result<String> {
    Ok(app.ports.blobs.presign(&version.blob, Method::Get, EXPIRES, base)?)
}
