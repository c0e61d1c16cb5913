//! Sending a file in parts, whatever it is of: what is there already is not sent again, whoever was
//! interrupted, and wherever the command is run again.

use std::{
    fs::File,
    io::Read,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;
use protocol::rest::uploads::{PartWanted, PartsWanted, SignedParts};
use reqwest::{Body, multipart::Part};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Map;
use sha2::{Digest, Sha256};
use tokio_util::io::ReaderStream;

use crate::{
    client::{Answer, Client},
    exit::{self, Exit, error, usage},
    output, progress,
    signals::Signals,
};

/// How many parts are on their way at the same time.
const PARALLEL: usize = 4;

/// How often a part is sent before that counts as a failure.
const TRIES: u32 = 6;

/// Before a part is sent again for the first time; then twice as long each time.
const PAUSE: Duration = Duration::from_millis(500);

/// How much is read, or given to the network, at once.
const CHUNK: usize = 64 * 1024;

/// Between two questions whether the platform is done; the longest of them.
const ASK: Duration = Duration::from_secs(2);

const AGAIN: &str = "run the same command again to go on where this stopped";

/// What every platform takes in one request, in bytes: API Gateway's limit, less the form.
pub(crate) const AT_ONCE: u64 = 4 << 20;

/// How far an upload is, of whatever.
#[derive(Deserialize)]
pub(crate) struct Progress {
    pub(crate) status: String,
    pub(crate) size: u64,
    pub(crate) checksum: String,
    pub(crate) part_size: u64,
    part_count: u32,
    missing: Vec<u32>,
}

/// A file that the platform expects in parts.
pub(crate) struct Parts<'a> {
    pub(crate) client: &'a Client,
    pub(crate) path: &'a Path,
    pub(crate) size: u64,
    /// Of what, as in paths: `["models", "model_…"]`.
    pub(crate) place: [&'a str; 2],
    pub(crate) part_size: u64,
}

/// Does `work`, and says how to go on when it is interrupted or breaks off.
pub(crate) async fn resumable<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut signals = Signals::new()?;
    let ended = tokio::select! {
        ended = work => ended,
        () = signals.next() => {
            return Err(error(Exit::Interrupted, format!("interrupted; {AGAIN}")));
        }
    };
    if ended.as_ref().is_err_and(|cause| exit::of(cause) == Exit::Failed) {
        output::say(format_args!("dcmp: {AGAIN}"));
    }
    ended
}

/// SHA-256 of a whole file of `size` bytes.
pub(crate) async fn checksum(path: &Path, size: u64) -> Result<String> {
    let bar = progress::transfer(format!("reading {}", shown(path)), size);
    let file = path.to_owned();
    let sum = move || -> std::io::Result<String> {
        let (mut file, mut hash) = (File::open(file)?, Sha256::new());
        let mut buffer = vec![0; 16 * CHUNK];
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                return Ok(format!("sha256:{}", hex::encode(hash.finalize())));
            }
            hash.update(&buffer[..read]);
            bar.inc(read as u64);
        }
    };
    let sum = tokio::task::spawn_blocking(sum).await?;
    sum.map_err(|cause| unreadable(path, &cause))
}

/// How far the upload at `place` is, if it is of this file and under way, which is said.
pub(crate) async fn unfinished(
    client: &Client,
    place: [&str; 2],
    path: &Path,
    (size, checksum): (u64, &str),
) -> Result<Option<Answer>> {
    let answer = match client.get(&[place[0], place[1], "upload"]).await {
        // none is under way
        Err(cause) if exit::of(&cause) == Exit::Refused => return Ok(None),
        answer => answer?,
    };
    let progress: Progress = answer.read()?;
    if progress.checksum != checksum || progress.size != size {
        return Ok(None);
    }
    output::say(format_args!(
        "dcmp: going on with an upload of {}: {} of {} parts are there",
        shown(path),
        progress.part_count as usize - progress.missing.len(),
        progress.part_count,
    ));
    Ok(Some(answer))
}

impl Parts<'_> {
    /// Sends what is missing, completes the upload, and waits until the platform has looked at it: the
    /// answer once `is_judged` says of it that it has.
    pub(crate) async fn through<T: DeserializeOwned>(
        &self,
        is_judged: impl Fn(&T) -> Result<bool>,
    ) -> Result<Answer> {
        loop {
            let progress: Progress = match self.client.get(&self.path_of(&["upload"])).await {
                // judged already
                Err(cause) if exit::of(&cause) == Exit::Refused => break,
                progress => progress?.read()?,
            };
            if progress.status != "uploading" {
                break;
            }
            self.send(&progress.missing).await?;
            let completed = self.client.post(&self.path_of(&["complete"]), &Map::new(), None).await;
            match completed {
                // what was there may be gone: the next round says
                Err(cause) if exit::of(&cause) == Exit::Refused && !progress.missing.is_empty() => {
                }
                completed => {
                    completed?;
                    break;
                }
            }
        }
        let spinner = progress::spinner();
        spinner.set_message("the platform checks it");
        let mut pause = ASK / 16;
        loop {
            let answer = self.client.get(&self.place).await?;
            if is_judged(&answer.read()?)? {
                return Ok(answer);
            }
            tokio::time::sleep(pause).await;
            pause = ASK.min(pause * 2);
        }
    }

    /// Sends the parts of these numbers, some at a time.
    async fn send(&self, missing: &[u32]) -> Result<()> {
        let bar = progress::transfer(format!("uploading {}", shown(self.path)), self.size);
        let left: u64 = missing.iter().map(|number| self.range(*number).1 as u64).sum();
        bar.set_position(self.size.saturating_sub(left));
        bar.reset_eta();
        stream::iter(missing.iter().map(|number| self.part(*number, &bar)))
            .buffer_unordered(PARALLEL)
            .try_collect::<()>()
            .await?;
        bar.finish_and_clear();
        Ok(())
    }

    /// Sends one part, again if need be.
    async fn part(&self, number: u32, bar: &ProgressBar) -> Result<()> {
        let (at, length) = self.range(number);
        let path: PathBuf = self.path.to_owned();
        let read = move || -> std::io::Result<(Bytes, String)> {
            let mut bytes = vec![0; length];
            File::open(path)?.read_exact_at(&mut bytes, at)?;
            let checksum = format!("sha256:{}", hex::encode(Sha256::digest(&bytes)));
            Ok((bytes.into(), checksum))
        };
        let read = tokio::task::spawn_blocking(read).await?;
        let (bytes, checksum) = read.map_err(|cause| unreadable(self.path, &cause))?;
        let mut pause = PAUSE;
        for attempt in 1.. {
            let sent = Arc::new(AtomicU64::new(0));
            let moved = {
                let (bar, sent) = (bar.clone(), sent.clone());
                move |bytes: u64| {
                    bar.inc(bytes);
                    sent.fetch_add(bytes, Ordering::Relaxed);
                }
            };
            match self.try_part(number, &checksum, &bytes, moved).await {
                Ok(()) => return Ok(()),
                Err(Failed::Refused(cause)) => return Err(cause),
                Err(Failed::Broke(cause)) if attempt == TRIES => return Err(cause),
                Err(Failed::Broke(cause)) => {
                    tracing::debug!(%cause, number, attempt, "a part is sent again");
                    let sent = sent.load(Ordering::Relaxed);
                    bar.set_position(bar.position().saturating_sub(sent));
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
            }
        }
        Ok(())
    }

    async fn try_part(
        &self,
        number: u32,
        checksum: &str,
        bytes: &Bytes,
        moved: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<(), Failed> {
        let wanted =
            PartsWanted { parts: vec![PartWanted { number, checksum: checksum.to_owned() }] };
        let path = self.path_of(&["upload", "parts"]);
        let signed = self.client.post(&path, &wanted, None).await;
        let signed: SignedParts =
            signed.and_then(|answer| answer.read()).map_err(|cause| match exit::of(&cause) {
                Exit::Refused => Failed::Refused(cause),
                _ => Failed::Broke(cause),
            })?;
        let part = signed.parts.first().context("the platform signed no part");
        let part = part.map_err(Failed::Refused)?;
        let bytes = bytes.clone();
        let size = bytes.len() as u64;
        let chunks = (0..bytes.len()).step_by(CHUNK).map(move |at| {
            let chunk = bytes.slice(at..bytes.len().min(at + CHUNK));
            moved(chunk.len() as u64);
            Ok::<_, std::io::Error>(chunk)
        });
        let body = Body::wrap_stream(stream::iter(chunks));
        self.client.put(&part.url, &part.headers, size, body).await.map_err(Failed::Broke)
    }

    fn path_of<'b>(&'b self, what: &[&'b str]) -> Vec<&'b str> {
        [&self.place, what].concat()
    }

    /// Where a part begins, and its length.
    fn range(&self, number: u32) -> (u64, usize) {
        let at = u64::from(number.saturating_sub(1)) * self.part_size;
        let length = self.size.saturating_sub(at).min(self.part_size);
        // parts fit into memory
        (at, usize::try_from(length).unwrap_or(usize::MAX))
    }
}

/// Opens a file for reading; also its length.
pub(crate) async fn open(path: &Path) -> Result<(tokio::fs::File, u64)> {
    let opened = async {
        let file = tokio::fs::File::open(path).await?;
        let metadata = file.metadata().await?;
        Ok((file, metadata))
    };
    let (file, metadata) = opened.await.map_err(|error| unreadable(path, &error))?;
    if !metadata.is_file() {
        return Err(usage(format!("{} is not a file", path.display())));
    }
    Ok((file, metadata.len()))
}

/// The file as a stream that moves a bar.
pub(crate) fn stream(file: tokio::fs::File, size: u64, path: &Path) -> Part {
    let name = shown(path);
    let bar = progress::transfer(format!("uploading {name}"), size);
    let chunks = ReaderStream::with_capacity(file, 64 * 1024);
    let chunks = chunks.inspect(move |chunk| {
        bar.inc(chunk.as_ref().map_or(0, |bytes| bytes.len() as u64));
        if bar.length().is_some_and(|all| bar.position() >= all) {
            bar.set_message("the platform checks it");
        }
    });
    Part::stream_with_length(Body::wrap_stream(chunks), size).file_name(name)
}

/// A file's name.
pub(crate) fn shown(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What is said of a file that cannot be read.
pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> anyhow::Error {
    usage(format!("cannot read {}: {error}", path.display()))
}

/// Why a part was not sent.
enum Failed {
    /// Another try would end in the same way.
    Refused(anyhow::Error),
    /// Another try may help.
    Broke(anyhow::Error),
}
