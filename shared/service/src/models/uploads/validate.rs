//! Looking at a complete file: its parts are joined, the whole is summed up, and then it is judged
//! like every other file. Whoever does it says so in the upload's row and again while it takes, so
//! two never do it at once, and when one died another begins anew.

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
        accept::{judge, reject},
    },
};

/// How much of a file is summed up at a time, and so in memory.
const CHUNK: u64 = 4 << 20;

/// A file that was begun with so often, and never judged, is rejected: it may be what ends those who
/// look at it.
const MAX_TRIES: u32 = 5;

/// Somebody at it says so again after this.
const RENEW_MS: u64 = UNHEARD_MS / 3;

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
    let mut work = Work { app, found, renewed_ms: now };
    let begun = Row { tries: row.tries + 1, ..row };
    if !work.claim(begun).await? {
        return Ok(());
    }
    match work.look().await {
        Ok(true) => end(app, id, number).await,
        Ok(false) => Ok(()),
        Err(cause) => {
            work.release().await?;
            Err(cause)
        }
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
    /// When we last said so.
    renewed_ms: u64,
}

impl Work<'_> {
    /// Says that we are at it; false when somebody else is.
    async fn claim(&mut self, row: Row) -> Result<bool> {
        let now = self.app.now_ms();
        let until = now + UNHEARD_MS;
        let (row, writes) = self.found.change(&Row { busy_until_ms: until, ..row }, until)?;
        let ours = stored::commit(self.app, writes).await?;
        self.found.row = Some(row);
        self.renewed_ms = now;
        Ok(ours)
    }

    /// Says so again, if it is time.
    async fn renew(&mut self, after_ms: u64) -> Result<bool> {
        match &self.found.row {
            Some(row) if self.app.now_ms() >= self.renewed_ms + after_ms => {
                let row = row.clone();
                self.claim(row).await
            }
            _ => Ok(true),
        }
    }

    /// Lets others try at once.
    async fn release(&mut self) -> Result<()> {
        let Some(row) = self.found.row.clone() else { return Ok(()) };
        let due_ms = row.pending.due_ms;
        let (_, writes) = self.found.change(&Row { busy_until_ms: 0, ..row }, due_ms)?;
        stored::commit(self.app, writes).await.map(drop)
    }

    /// True when the file was judged; false when somebody else took over.
    async fn look(&mut self) -> Result<bool> {
        let (id, number) = (self.found.head.id.clone(), self.found.version.number);
        if let Err(reason) = self.join().await? {
            reject(self.app, &id, number, Status::Validating, &reason).await?;
            return Ok(true);
        }
        let Some(checksum) = self.sum().await? else { return Ok(false) };
        let announced = &self.found.version.checksum;
        if checksum.to_string() != *announced {
            let reason = format!(
                "the whole file has the checksum {checksum}, {announced} was announced: it was \
                 changed or its parts were mixed up; upload it again"
            );
            reject(self.app, &id, number, Status::Validating, &reason).await?;
            return Ok(true);
        }
        if !self.renew(0).await? {
            return Ok(false);
        }
        judge(self.app, &id, number).await?;
        Ok(true)
    }

    /// Joins the parts, unless that was done before; a reason when they do not make up the file.
    async fn join(&self) -> Result<std::result::Result<(), String>> {
        let Found { version, row: Some(row), .. } = &self.found else { return Ok(Ok(())) };
        let Version { blob, size, .. } = &**version;
        let blobs = &self.app.ports.blobs;
        if blobs.head(blob).await?.is_some() {
            return Ok(Ok(()));
        }
        let there = match blobs.uploaded_parts(blob, &row.upload).await {
            Err(ports::Error::NotFound(_)) => Vec::new(),
            there => there?,
        };
        let missing = row.plan(*size)?.missing(there.iter().map(|p| (p.part.number, p.size)));
        if !missing.is_empty() {
            let parts = domain::upload::list(&missing);
            return Ok(Err(format!("its parts {parts} were changed; upload it again")));
        }
        let parts: Vec<Part> = there.iter().map(|found| found.part).collect();
        blobs.complete_upload(blob, &row.upload, &parts).await?;
        Ok(Ok(()))
    }

    /// The checksum of the whole file, a chunk at a time; `None` when somebody else took over.
    async fn sum(&mut self) -> Result<Option<Checksum>> {
        let (blob, size) = (self.found.version.blob.clone(), self.found.version.size);
        let mut hash = Sha256::new();
        let mut at = 0;
        while at < size {
            let chunk = self.app.ports.blobs.get(&blob, Some(at..size.min(at + CHUNK))).await?;
            let chunk = chunk.filter(|chunk| !chunk.is_empty());
            let chunk = chunk.ok_or_else(|| Error::internal(format!("{blob} ends at {at}")))?;
            at += chunk.len() as u64;
            // milliseconds of computing, apart from those who wait for something
            let summed = tokio::task::spawn_blocking(move || {
                hash.update(&chunk);
                hash
            });
            hash = summed.await.map_err(Error::internal)?;
            if !self.renew(RENEW_MS).await? {
                return Ok(None);
            }
        }
        Ok(Some(Checksum::from_digest(hash.finalize().into())))
    }
}
