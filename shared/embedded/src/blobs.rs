//! The object store: files of this machine, and URLs that the platform serves itself.

mod files;
mod presigned;
mod router;
mod uploads;

use std::{ops::Range, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use clock::SystemClock;
use ports::{
    Blobs, Checksum, Clock, Error, Method, Part, Result, Stored, Uploaded, blobs::check_key,
};

pub(crate) use self::{files::Files, router::router};
use self::{presigned::Grant, uploads::Uploads};

/// The blobs of the store.
#[derive(Clone)]
pub(crate) struct LocalBlobs {
    files: Arc<Files>,
    uploads: Arc<Uploads>,
    secret: [u8; 32],
    clock: Arc<SystemClock>,
}

impl LocalBlobs {
    pub(crate) fn new(files: Files, secret: [u8; 32], clock: Arc<SystemClock>) -> Self {
        let files = Arc::new(files);
        let uploads = Arc::new(Uploads::new(files.clone()));
        Self { files, uploads, secret, clock }
    }

    fn url(&self, grant: &Grant<'_>, base: &str) -> String {
        grant.url(&self.secret, base)
    }

    fn expiry(&self, expires: Duration) -> u64 {
        self.clock.now_ms().saturating_add(expires.as_millis() as u64)
    }
}

#[async_trait]
impl Blobs for LocalBlobs {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        check_key(key)?;
        let (files, key) = (self.files.clone(), key.to_owned());
        blocking(move || files.put(&key, &bytes)).await
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>> {
        check_key(key)?;
        let (files, key) = (self.files.clone(), key.to_owned());
        blocking(move || files.get(&key, range)).await
    }

    async fn head(&self, key: &str) -> Result<Option<Stored>> {
        check_key(key)?;
        let (files, key) = (self.files.clone(), key.to_owned());
        blocking(move || files.size(&key)).await.map(|size| size.map(|size| Stored { size }))
    }

    async fn delete(&self, key: &str) -> Result<()> {
        check_key(key)?;
        let (files, key) = (self.files.clone(), key.to_owned());
        blocking(move || files.delete(&key)).await
    }

    fn presign(&self, key: &str, method: Method, expires: Duration, base: &str) -> Result<String> {
        check_key(key)?;
        let expires_ms = self.expiry(expires);
        let grant = match method {
            Method::Get => Grant::get(key, expires_ms),
            Method::Put(checksum) => Grant::put(key, expires_ms, checksum),
        };
        Ok(self.url(&grant, base))
    }

    async fn start_upload(&self, key: &str) -> Result<String> {
        check_key(key)?;
        let id = self.clock.id("upload");
        let (uploads, key, upload) = (self.uploads.clone(), key.to_owned(), id.clone());
        blocking(move || uploads.start(&key, &upload)).await?;
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
        check_key(key)?;
        part.check()?;
        Ok(self.url(&Grant::part(key, self.expiry(expires), upload, part), base))
    }

    async fn put_part(&self, key: &str, upload: &str, part: Part, bytes: Bytes) -> Result<()> {
        check_key(key)?;
        if Checksum::of(&bytes) != part.checksum {
            return Err(files::checksum_differs());
        }
        let (uploads, key, upload) = (self.uploads.clone(), key.to_owned(), upload.to_owned());
        blocking(move || uploads.put(&key, &upload, part, &bytes)).await
    }

    async fn uploaded_parts(&self, key: &str, upload: &str) -> Result<Vec<Uploaded>> {
        check_key(key)?;
        let (uploads, key, upload) = (self.uploads.clone(), key.to_owned(), upload.to_owned());
        blocking(move || uploads.parts(&key, &upload)).await
    }

    async fn unfinished_uploads(&self, key: &str) -> Result<Vec<String>> {
        check_key(key)?;
        let (uploads, key) = (self.uploads.clone(), key.to_owned());
        blocking(move || uploads.of(&key)).await
    }

    async fn complete_upload(&self, key: &str, upload: &str, parts: &[Part]) -> Result<Stored> {
        check_key(key)?;
        let (uploads, parts) = (self.uploads.clone(), parts.to_vec());
        let (key, upload) = (key.to_owned(), upload.to_owned());
        let size = blocking(move || uploads.complete(&key, &upload, &parts)).await?;
        Ok(Stored { size })
    }

    async fn abort_upload(&self, key: &str, upload: &str) -> Result<()> {
        check_key(key)?;
        let (uploads, key, upload) = (self.uploads.clone(), key.to_owned(), upload.to_owned());
        blocking(move || uploads.abort(&key, &upload)).await
    }
}

/// Runs file work where it may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::unavailable)?
}
