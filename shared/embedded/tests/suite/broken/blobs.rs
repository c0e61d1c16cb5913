//! Faults of blobs.

use std::{ops::Range, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use ports::{Blobs, Checksum, Error, Method, Part, Result, Stored, Uploaded};

use super::Faulty;

#[async_trait]
impl Blobs for Faulty {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        let blobs = &self.inner.blobs;
        if self.breaks("B1") {
            blobs.put(key, bytes.slice(..bytes.len() / 2)).await?;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if self.breaks("B2") {
            self.memory.lock().unwrap().objects.insert(key.to_owned(), bytes);
            return Ok(());
        }
        let lower = key.to_ascii_lowercase();
        blobs.put(if self.breaks("B8") { &lower } else { key }, bytes).await
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>> {
        let lower = key.to_ascii_lowercase();
        let key = if self.breaks("B8") { &lower } else { key };
        let bytes = self.inner.blobs.get(key, range.clone()).await?;
        if self.breaks("B3") && range.is_none() {
            let mut memory = self.memory.lock().unwrap();
            let Some(bytes) = bytes else { return Ok(memory.objects.get(key).cloned()) };
            return Ok(Some(memory.objects.entry(key.to_owned()).or_insert(bytes).clone()));
        }
        if self.breaks("B2") {
            return Ok(self.memory.lock().unwrap().objects.get(key).cloned().or(bytes));
        }
        Ok(bytes)
    }

    async fn head(&self, key: &str) -> Result<Option<Stored>> {
        self.inner.blobs.head(key).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        if self.breaks("B7") && self.inner.blobs.head(key).await?.is_none() {
            return Err(Error::NotFound(key.to_owned()));
        }
        self.inner.blobs.delete(key).await
    }

    fn presign(&self, key: &str, method: Method, expires: Duration, base: &str) -> Result<String> {
        let expires = if self.breaks("B6") { expires * 1000 } else { expires };
        self.inner.blobs.presign(key, method, expires, base)
    }

    async fn start_upload(&self, key: &str) -> Result<String> {
        self.inner.blobs.start_upload(key).await
    }

    fn presign_part(
        &self,
        key: &str,
        upload: &str,
        part: Part,
        expires: Duration,
        base: &str,
    ) -> Result<String> {
        self.inner.blobs.presign_part(key, upload, part, expires, base)
    }

    async fn put_part(&self, key: &str, upload: &str, mut part: Part, bytes: Bytes) -> Result<()> {
        if self.breaks("B4") {
            part.checksum = Checksum::of(&bytes);
        }
        self.inner.blobs.put_part(key, upload, part, bytes).await
    }

    async fn uploaded_parts(&self, key: &str, upload: &str) -> Result<Vec<Uploaded>> {
        let mut parts = self.inner.blobs.uploaded_parts(key, upload).await?;
        if self.breaks("B9") {
            parts.pop();
        }
        Ok(parts)
    }

    async fn unfinished_uploads(&self, key: &str) -> Result<Vec<String>> {
        self.inner.blobs.unfinished_uploads(key).await
    }

    async fn complete_upload(&self, key: &str, upload: &str, parts: &[Part]) -> Result<Stored> {
        self.inner.blobs.complete_upload(key, upload, parts).await
    }

    async fn abort_upload(&self, key: &str, upload: &str) -> Result<()> {
        if self.breaks("B5") {
            return Ok(());
        }
        self.inner.blobs.abort_upload(key, upload).await
    }
}
