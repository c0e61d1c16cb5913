//! The object store.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use ports::{Blobs, Checksum, Clock, Error, Method, Part, Result, Stored, Uploaded, blobs};
use sha2::{Digest, Sha256};

use super::lock;

/// What presigned URLs are signed with; nobody outside of the world sees one.
const SECRET: &str = "simulated";

pub(super) struct SimBlobs {
    clock: Arc<dyn Clock>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    objects: HashMap<String, Bytes>,
    /// By id, in the order in which they began.
    uploads: BTreeMap<String, Upload>,
}

struct Upload {
    key: String,
    parts: BTreeMap<u32, (Uploaded, Bytes)>,
}

/// What a presigned URL allows.
struct Permission<'a> {
    key: &'a str,
    /// The upload and the number of the part, of a URL for a part.
    part: Option<(&'a str, u32)>,
    method: Method,
    expires_ms: u64,
}

impl Permission<'_> {
    fn signature(&self) -> String {
        let Self { key, part, method, expires_ms } = self;
        hex::encode(Sha256::digest(format!("{SECRET} {key} {part:?} {method:?} {expires_ms}")))
    }

    fn url(&self, base: &str) -> String {
        let checksum = match self.method {
            Method::Put(Some(checksum)) => checksum.hex(),
            Method::Put(None) => "any".to_owned(),
            Method::Get => String::new(),
        };
        let (upload, number) = self.part.unwrap_or_default();
        let (key, expires, signature) = (self.key, self.expires_ms, self.signature());
        format!("{base}/_blobs/{key}?{checksum}&{upload}&{number}&{expires}&{signature}")
    }

    /// Reads a URL back; `None` for one that nobody made.
    fn parse(url: &str) -> Option<Permission<'_>> {
        let (_, rest) = url.split_once("/_blobs/")?;
        let (key, query) = rest.split_once('?')?;
        let mut fields = query.split('&');
        let mut next = || fields.next();
        let (checksum, upload, number) = (next()?, next()?, next()?.parse().ok()?);
        let (expires_ms, signature) = (next()?.parse().ok()?, next()?);
        let method = match checksum {
            "" => Method::Get,
            "any" => Method::Put(None),
            digits => Method::Put(Some(Checksum::parse(&format!("sha256:{digits}"))?)),
        };
        let part = (!upload.is_empty()).then_some((upload, number));
        let permission = Permission { key, part, method, expires_ms };
        (permission.signature() == signature).then_some(permission)
    }
}

impl SimBlobs {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, inner: Mutex::default() }
    }

    fn expires_ms(&self, expires: Duration) -> u64 {
        self.clock.now_ms() + expires.as_millis() as u64
    }

    pub(super) fn transfer(&self, url: &str, method: Method, body: Bytes) -> (u16, Bytes) {
        let Some(permission) = Permission::parse(url) else { return (403, Bytes::new()) };
        let same = matches!(
            (permission.method, method),
            (Method::Get, Method::Get) | (Method::Put(_), Method::Put(_))
        );
        if !same || self.clock.now_ms() >= permission.expires_ms {
            return (403, Bytes::new());
        }
        let mut inner = lock(&self.inner);
        let key = permission.key;
        match (permission.method, permission.part) {
            (Method::Get, _) => match inner.objects.get(key) {
                Some(bytes) => (200, bytes.clone()),
                None => (404, Bytes::new()),
            },
            (Method::Put(Some(checksum)), _) if Checksum::of(&body) != checksum => {
                (400, Bytes::new())
            }
            (Method::Put(_), None) => {
                inner.objects.insert(key.to_owned(), body);
                (200, Bytes::new())
            }
            (Method::Put(_), Some((upload, number))) => {
                let part = Part { number, checksum: Checksum::of(&body) };
                match inner.put_part(key, upload, part, body, self.clock.now_ms()) {
                    Ok(()) => (200, Bytes::new()),
                    Err(_) => (404, Bytes::new()),
                }
            }
        }
    }
}

impl Inner {
    fn upload(&mut self, key: &str, upload: &str) -> Result<&mut Upload> {
        let found = self.uploads.get_mut(upload).filter(|upload| upload.key == key);
        found.ok_or_else(|| Error::NotFound(format!("there is no upload {upload} of {key}")))
    }

    fn put_part(
        &mut self,
        key: &str,
        upload: &str,
        part: Part,
        bytes: Bytes,
        now_ms: u64,
    ) -> Result<()> {
        part.check()?;
        let upload = self.upload(key, upload)?;
        if Checksum::of(&bytes) != part.checksum {
            return Err(Error::Invalid(format!("part {} has another checksum", part.number)));
        }
        let uploaded = Uploaded { part, size: bytes.len() as u64, uploaded_ms: now_ms };
        upload.parts.insert(part.number, (uploaded, bytes));
        Ok(())
    }
}

#[async_trait]
impl Blobs for SimBlobs {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        blobs::check_key(key)?;
        lock(&self.inner).objects.insert(key.to_owned(), bytes);
        Ok(())
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>> {
        blobs::check_key(key)?;
        let found = lock(&self.inner).objects.get(key).cloned();
        let clip = |bytes: Bytes| match range {
            None => bytes,
            Some(Range { start, end }) => {
                let end = end.min(bytes.len() as u64);
                bytes.slice(start.min(end) as usize..end as usize)
            }
        };
        Ok(found.map(clip))
    }

    async fn head(&self, key: &str) -> Result<Option<Stored>> {
        blobs::check_key(key)?;
        let inner = lock(&self.inner);
        Ok(inner.objects.get(key).map(|bytes| Stored { size: bytes.len() as u64 }))
    }

    async fn delete(&self, key: &str) -> Result<()> {
        blobs::check_key(key)?;
        lock(&self.inner).objects.remove(key);
        Ok(())
    }

    fn presign(&self, key: &str, method: Method, expires: Duration, base: &str) -> Result<String> {
        blobs::check_key(key)?;
        let expires_ms = self.expires_ms(expires);
        Ok(Permission { key, part: None, method, expires_ms }.url(base))
    }

    async fn start_upload(&self, key: &str) -> Result<String> {
        blobs::check_key(key)?;
        let id = self.clock.id("upload");
        let upload = Upload { key: key.to_owned(), parts: BTreeMap::new() };
        lock(&self.inner).uploads.insert(id.clone(), upload);
        Ok(id)
    }

    fn presign_part(
        &self,
        key: &str,
        upload: &str,
        part: Part,
        expires: Duration,
        base: &str,
    ) -> Result<String> {
        blobs::check_key(key)?;
        part.check()?;
        let method = Method::Put(Some(part.checksum));
        let expires_ms = self.expires_ms(expires);
        Ok(Permission { key, part: Some((upload, part.number)), method, expires_ms }.url(base))
    }

    async fn put_part(&self, key: &str, upload: &str, part: Part, bytes: Bytes) -> Result<()> {
        lock(&self.inner).put_part(key, upload, part, bytes, self.clock.now_ms())
    }

    async fn uploaded_parts(&self, key: &str, upload: &str) -> Result<Vec<Uploaded>> {
        let mut inner = lock(&self.inner);
        Ok(inner.upload(key, upload)?.parts.values().map(|(uploaded, _)| *uploaded).collect())
    }

    async fn unfinished_uploads(&self, key: &str) -> Result<Vec<String>> {
        let inner = lock(&self.inner);
        let mine = inner.uploads.iter().filter(|(_, upload)| upload.key == key);
        Ok(mine.map(|(id, _)| id.clone()).collect())
    }

    async fn complete_upload(&self, key: &str, upload: &str, parts: &[Part]) -> Result<Stored> {
        blobs::check_parts(parts)?;
        let mut inner = lock(&self.inner);
        let found = inner.upload(key, upload)?;
        let mut joined = Vec::new();
        for part in parts {
            match found.parts.get(&part.number) {
                Some((there, bytes)) if there.part == *part => joined.extend_from_slice(bytes),
                _ => return Err(Error::Invalid(format!("part {} is not there so", part.number))),
            }
        }
        inner.uploads.remove(upload);
        let size = joined.len() as u64;
        inner.objects.insert(key.to_owned(), joined.into());
        Ok(Stored { size })
    }

    async fn abort_upload(&self, key: &str, upload: &str) -> Result<()> {
        let mut inner = lock(&self.inner);
        if inner.upload(key, upload).is_ok() {
            inner.uploads.remove(upload);
        }
        Ok(())
    }
}
