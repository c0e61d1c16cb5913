//! Uploads in parts: what is there already is not sent again, whoever was interrupted, and wherever
//! the command is run again.

use std::{
    collections::BTreeMap,
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
use protocol::rest::{
    models::Summary,
    uploads::{Begun, PartWanted, PartsWanted, Progress, SignedParts},
};
use reqwest::Body;
use serde_json::{
    Map,
    value::{RawValue, to_raw_value},
};
use sha2::{Digest, Sha256};

use crate::{
    client::{Answer, Client},
    exit::{self, Exit, error},
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

/// A file to be uploaded as a model, or as the next version of one.
pub(super) struct Upload<'a> {
    pub(super) client: &'a Client,
    pub(super) path: &'a Path,
    pub(super) size: u64,
    /// What the model is called; a version is called as its model.
    pub(super) name: String,
    /// The model's id, for a version of it.
    pub(super) version_of: Option<String>,
    /// The fields of the form that are given.
    pub(super) fields: Vec<(&'static str, String)>,
}

/// An upload that the platform knows.
struct Known {
    /// As in paths.
    reference: String,
    part_size: u64,
}

impl Upload<'_> {
    /// Uploads the file and waits until the platform has looked at it; the answer is the model.
    pub(super) async fn run(&self) -> Result<Answer> {
        let mut signals = Signals::new()?;
        let ended = tokio::select! {
            ended = self.through() => ended,
            () = signals.next() => {
                return Err(error(Exit::Interrupted, format!("interrupted; {AGAIN}")));
            }
        };
        if ended.as_ref().is_err_and(|cause| exit::of(cause) == Exit::Failed) {
            output::say(format_args!("dcmp: {AGAIN}"));
        }
        ended
    }

    async fn through(&self) -> Result<Answer> {
        let checksum = self.checksum().await?;
        let known = match self.unfinished(&checksum).await? {
            Some(known) => known,
            None => self.begin(&checksum).await?,
        };
        loop {
            let progress: Progress = match self.get(&known, Some("upload")).await {
                // judged already
                Err(cause) if exit::of(&cause) == Exit::Refused => break,
                progress => progress?.read()?,
            };
            if progress.status != "uploading" {
                break;
            }
            self.send(&known, &progress.missing).await?;
            let path = ["models", &known.reference, "complete"];
            let completed = self.client.post(&path, &Map::new(), None).await;
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
        self.judged(&known).await
    }

    /// SHA-256 of the whole file.
    async fn checksum(&self) -> Result<String> {
        let (path, size) = (self.path.to_owned(), self.size);
        let bar = progress::transfer(format!("reading {}", self.shown()), size);
        let sum = move || -> std::io::Result<String> {
            let (mut file, mut hash) = (File::open(path)?, Sha256::new());
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
        sum.map_err(|cause| super::fields::unreadable(self.path, &cause))
    }

    /// The upload of this file that somebody began and did not finish.
    async fn unfinished(&self, checksum: &str) -> Result<Option<Known>> {
        let open = |status: &str| matches!(status, "uploading" | "validating");
        let candidates = match &self.version_of {
            Some(id) => vec![id.clone()],
            None => {
                let models = self.client.list::<Summary>(&["models"], "models", None).await?;
                let same = |model: &Summary| {
                    open(&model.status) && model.checksum == checksum && model.name == self.name
                };
                models.items()?.into_iter().filter(same).map(|model| model.id).collect()
            }
        };
        for id in candidates {
            let progress: Progress = match self.client.get(&["models", &id, "upload"]).await {
                Ok(progress) => progress.read()?,
                // none is under way
                Err(cause) if exit::of(&cause) == Exit::Refused => continue,
                Err(cause) => return Err(cause),
            };
            if progress.checksum == checksum && progress.size == self.size {
                output::say(format_args!(
                    "dcmp: going on with an upload of {}: {} of {} parts are there",
                    self.shown(),
                    progress.part_count as usize - progress.missing.len(),
                    progress.part_count,
                ));
                let reference = self.reference(&progress.id, progress.version);
                return Ok(Some(Known { reference, part_size: progress.part_size }));
            }
        }
        Ok(None)
    }

    async fn begin(&self, checksum: &str) -> Result<Known> {
        let mut body = announced(&self.fields)?;
        match &self.version_of {
            Some(id) => body.insert("version_of", to_raw_value(id)?),
            None => body.insert("name", to_raw_value(&self.name)?),
        };
        body.insert("file_name", to_raw_value(&self.shown())?);
        body.insert("size", to_raw_value(&self.size)?);
        body.insert("checksum", to_raw_value(checksum)?);
        let begun: Begun = self.client.post(&["models"], &body, None).await?.read()?;
        let reference = self.reference(&begun.id, begun.version);
        Ok(Known { reference, part_size: begun.upload.part_size })
    }

    /// Sends the parts of these numbers, some at a time.
    async fn send(&self, known: &Known, missing: &[u32]) -> Result<()> {
        let bar = progress::transfer(format!("uploading {}", self.shown()), self.size);
        let left: u64 = missing.iter().map(|number| self.range(known, *number).1 as u64).sum();
        bar.set_position(self.size.saturating_sub(left));
        bar.reset_eta();
        stream::iter(missing.iter().map(|number| self.part(known, *number, &bar)))
            .buffer_unordered(PARALLEL)
            .try_collect::<()>()
            .await?;
        bar.finish_and_clear();
        Ok(())
    }

    /// Sends one part, again if need be.
    async fn part(&self, known: &Known, number: u32, bar: &ProgressBar) -> Result<()> {
        let (at, length) = self.range(known, number);
        let path: PathBuf = self.path.to_owned();
        let read = move || -> std::io::Result<(Bytes, String)> {
            let mut bytes = vec![0; length];
            File::open(path)?.read_exact_at(&mut bytes, at)?;
            let checksum = format!("sha256:{}", hex::encode(Sha256::digest(&bytes)));
            Ok((bytes.into(), checksum))
        };
        let read = tokio::task::spawn_blocking(read).await?;
        let (bytes, checksum) =
            read.map_err(|cause| super::fields::unreadable(self.path, &cause))?;
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
            match self.try_part(known, number, &checksum, &bytes, moved).await {
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
        known: &Known,
        number: u32,
        checksum: &str,
        bytes: &Bytes,
        moved: impl Fn(u64) + Send + Sync + 'static,
    ) -> Result<(), Failed> {
        let wanted =
            PartsWanted { parts: vec![PartWanted { number, checksum: checksum.to_owned() }] };
        let path = ["models", &known.reference, "upload", "parts"];
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

    /// Waits until the platform has looked at the file.
    async fn judged(&self, known: &Known) -> Result<Answer> {
        let spinner = progress::spinner();
        spinner.set_message("the platform checks it");
        let mut pause = ASK / 16;
        loop {
            let answer = self.get(known, None).await?;
            let model: Summary = answer.read()?;
            match model.status.as_str() {
                "ready" => return Ok(answer),
                "rejected" => {
                    let reason = model.reason.as_deref().unwrap_or("no reason was given");
                    return Err(error(Exit::Refused, format!("the model was rejected: {reason}")));
                }
                _ => tokio::time::sleep(pause).await,
            }
            pause = ASK.min(pause * 2);
        }
    }

    async fn get(&self, known: &Known, what: Option<&str>) -> Result<Answer> {
        let path: Vec<_> = ["models", &known.reference].into_iter().chain(what).collect();
        self.client.get(&path).await
    }

    /// As paths name it: with the version, of a model that has others.
    fn reference(&self, id: &str, version: u32) -> String {
        if self.version_of.is_some() { format!("{id}@{version}") } else { id.to_owned() }
    }

    /// Where a part begins, and its length.
    fn range(&self, known: &Known, number: u32) -> (u64, usize) {
        let at = u64::from(number.saturating_sub(1)) * known.part_size;
        let length = self.size.saturating_sub(at).min(known.part_size);
        // parts fit into memory
        (at, usize::try_from(length).unwrap_or(usize::MAX))
    }

    fn shown(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// The fields of the form as the announcement has them; what is JSON stays as it is written, since
/// the order of a schema's properties counts.
fn announced(fields: &[(&'static str, String)]) -> Result<BTreeMap<&'static str, Box<RawValue>>> {
    let mut body = BTreeMap::new();
    for (name, text) in fields {
        let is_json = name.ends_with("_shape") || name.ends_with("_schema") || *name == "labels";
        let value = if is_json {
            let wrong = |cause| exit::usage(format!("{name} is not JSON: {cause}"));
            serde_json::from_str(text).map_err(wrong)?
        } else {
            to_raw_value(text)?
        };
        body.insert(*name, value);
    }
    Ok(body)
}

/// Why a part was not sent.
enum Failed {
    /// Another try would end in the same way.
    Refused(anyhow::Error),
    /// Another try may help.
    Broke(anyhow::Error),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_schema_is_announced_as_it_is_written() {
        let schema = r#"{"properties": {"b": {}, "a": {}}}"#;
        let fields = [("input_schema", format!("{schema}\n")), ("format", "onnx".to_owned())];
        let body = announced(&fields).unwrap();
        assert_eq!(body["input_schema"].get(), schema);
        assert_eq!(body["format"].get(), r#""onnx""#);
        assert!(announced(&[("labels", "a,b".to_owned())]).is_err());
    }
}
