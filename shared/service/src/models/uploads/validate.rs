//! Looking at a complete file: its parts are joined, the whole is summed up, and then it is judged
//! like every other file. Whoever does it says so in the upload's row and again while it takes, so
//! two never do it at once, and when one died another begins anew.

use std::time::Duration;

use domain::model::Status;
use ports::{Checksum, Part};
use sha2::{Digest, Sha256};

use super::{
    complete::UNHEARD_MS,
    pending,
    stored::{self, Found, Row},
};
use crate::{
    App, Error, Result,
    models::{
        Version,
        judge::{judge, reject},
    },
};

/// How much of a file is summed up at a time, and so in memory.
const CHUNK: u64 = 4 << 20;

/// A file that was begun with so often, and never judged, is rejected: it may be what ends those who
/// look at it.
const MAX_TRIES: u32 = 5;

/// A file that could not be got at is left alone for so long, the first time; then twice as long each
/// time.
const PAUSE_MS: u64 = 20_000;

/// The longest of these times.
const MAX_PAUSE_MS: u64 = 10 * 60_000;

/// Somebody at it says so again after this.
const RENEW: Duration = Duration::from_millis(UNHEARD_MS / 3);

/// Looks at the complete file of a version. Does nothing when somebody is at it, or it was judged
/// before.
pub async fn validate(app: &App, id: &str, number: u32) -> Result<()> {
    let found = match stored::load(app, id, number).await {
        // deleted meanwhile
        Err(Error::NoModel(_)) => return Ok(()),
        found => found?,
    };
    let Some(row) = found.row.clone() else { return Ok(()) };
    let now = app.now_ms();
    match found.version.status {
        Status::Uploading => return Ok(()),
        Status::Validating if row.busy_until_ms > now => return Ok(()),
        Status::Validating => {}
        Status::Ready | Status::Rejected => return end(app, id, number).await,
    }
    if row.tries >= MAX_TRIES {
        let reason = format!(
            "looking at the file failed {MAX_TRIES} times; it may need more memory or time than \
             this platform has"
        );
        reject(app, id, number, found.version.status, &reason).await?;
        return end(app, id, number).await;
    }
    let mut work = Work { app, found };
    let begun = Row { tries: row.tries + 1, ..row };
    if !work.claim(begun).await? {
        return Ok(());
    }
    match work.go().await {
        Ok(true) => end(app, id, number).await,
        Ok(false) => Ok(()),
        Err(failed) => {
            work.release(&failed).await?;
            let (Failed::Getting(cause) | Failed::Looking(cause)) = failed;
            Err(cause)
        }
    }
}

/// Why nothing is known of a file yet.
enum Failed {
    /// It could not be got at, which says nothing of the file.
    Getting(Error),
    /// It could not be looked into, which may be its fault.
    Looking(Error),
}

impl From<Error> for Failed {
    fn from(cause: Error) -> Self {
        Self::Getting(cause)
    }
}

/// The end of the upload of a version that is ready or rejected: only what is needed of it stays.
pub(super) async fn end(app: &App, id: &str, number: u32) -> Result<()> {
    loop {
        let found = match stored::load(app, id, number).await {
            // what is noted of its file is looked after by the timer
            Err(Error::NoModel(_)) => return Ok(()),
            found => found?,
        };
        let Some(row) = &found.row else { return Ok(()) };
        let blob = &found.version.blob;
        match found.version.status {
            Status::Uploading | Status::Validating => return Ok(()),
            Status::Rejected => pending::remove_file(app, blob).await?,
            // of what was joined when somebody died, parts may be left
            Status::Ready => pending::remove_parts(app, blob).await?,
        }
        if stored::commit(app, found.end(row)).await? {
            return Ok(());
        }
    }
}

/// A file that we are at.
struct Work<'a> {
    app: &'a App,
    found: Found,
}

impl Work<'_> {
    /// Looks at the file, and says all the while that we are at it. False when somebody took over.
    async fn go(&mut self) -> Result<bool, Failed> {
        let Found { head, version, row: Some(row) } = &self.found else { return Ok(false) };
        let (app, id, version, row) = (self.app, head.id.clone(), version.clone(), row.clone());
        let mut looking = std::pin::pin!(look(app, &id, &version, &row));
        loop {
            tokio::select! {
                looked = &mut looking => return looked.map(|()| true),
                () = app.ports.clock.sleep(RENEW) => {
                    let row = self.found.row.clone().unwrap_or_else(|| row.clone());
                    if !self.claim(row).await? {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// Says that we are at it; false when somebody else is.
    async fn claim(&mut self, row: Row) -> Result<bool> {
        let until = self.app.now_ms() + UNHEARD_MS;
        let (row, writes) = self.found.change(&Row { busy_until_ms: until, ..row }, until)?;
        let claimed = stored::commit(self.app, writes).await?;
        if claimed {
            self.found.row = Some(row);
        }
        Ok(claimed)
    }

    /// Lets others try: at once when that counts as a try, else after a pause.
    async fn release(&self, failed: &Failed) -> Result<()> {
        let Some(row) = self.found.row.clone() else { return Ok(()) };
        let (released, due_ms) = match failed {
            Failed::Looking(_) => (Row { busy_until_ms: 0, ..row.clone() }, row.pending.due_ms),
            Failed::Getting(_) => {
                let pause = PAUSE_MS << row.failures.min(10);
                let until = self.app.now_ms() + pause.min(MAX_PAUSE_MS);
                let (tries, failures) = (row.tries.saturating_sub(1), row.failures + 1);
                (Row { tries, failures, busy_until_ms: until, ..row }, until)
            }
        };
        let (_, writes) = self.found.change(&released, due_ms)?;
        stored::commit(self.app, writes).await.map(drop)
    }
}

/// Joins the file, sums it up, and judges it.
async fn look(app: &App, id: &str, version: &Version, row: &Row) -> Result<(), Failed> {
    let number = version.number;
    let reject = async |reason: &str| reject(app, id, number, Status::Validating, reason).await;
    if let Some(changed) = join(app, version, row).await? {
        let reason = format!("its parts {changed} were changed; upload it again");
        reject(&reason).await?;
        return Ok(());
    }
    let (checksum, announced) = (sum(app, version).await?.to_string(), &version.checksum);
    if checksum != *announced {
        let reason = format!(
            "the whole file has the checksum {checksum}, {announced} was announced: it was changed \
             or its parts were mixed up; upload it again"
        );
        reject(&reason).await?;
        return Ok(());
    }
    judge(app, id, number).await.map_err(Failed::Looking)
}

/// Joins the parts, unless that was done before; the numbers of those that were changed since the
/// upload was complete, if some were.
async fn join(app: &App, version: &Version, row: &Row) -> Result<Option<String>> {
    let (blobs, blob) = (&app.ports.blobs, &version.blob);
    if blobs.head(blob).await?.is_some() {
        return Ok(None);
    }
    let there = match blobs.uploaded_parts(blob, &row.upload).await {
        Err(ports::Error::NotFound(_)) => Vec::new(),
        there => there?,
    };
    let sizes = there.iter().map(|found| (found.part.number, found.size));
    let missing = row.plan(version.size)?.missing(sizes);
    if !missing.is_empty() {
        return Ok(Some(domain::upload::list(&missing)));
    }
    let parts: Vec<Part> = there.iter().map(|found| found.part).collect();
    blobs.complete_upload(blob, &row.upload, &parts).await?;
    Ok(None)
}

/// The checksum of the whole file, a chunk at a time.
async fn sum(app: &App, version: &Version) -> Result<Checksum> {
    let (blob, size) = (&version.blob, version.size);
    let mut hash = Sha256::new();
    let mut at = 0;
    while at < size {
        let chunk = app.ports.blobs.get(blob, Some(at..size.min(at + CHUNK))).await?;
        let chunk = chunk.filter(|chunk| !chunk.is_empty());
        let chunk = chunk.ok_or_else(|| Error::internal(format!("{blob} ends at {at}")))?;
        at += chunk.len() as u64;
        // milliseconds of computing, apart from those who wait for something
        let summed = tokio::task::spawn_blocking(move || {
            hash.update(&chunk);
            hash
        });
        hash = summed.await.map_err(Error::internal)?;
    }
    Ok(Checksum::from_digest(hash.finalize().into()))
}
