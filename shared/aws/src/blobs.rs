//! Blobs: objects of an S3 bucket. S3 is asked to check every part and every presigned object against
//! the SHA-256 that it was announced with.

mod presigned;
mod uploads;

use std::{ops::Range, sync::Arc, time::Duration};

use async_trait::async_trait;
use aws_sdk_s3::{error::ProvideErrorMetadata, primitives::ByteStream};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use ports::{Blobs, Checksum, Error, Method, Part, Result, Stored, Uploaded, blobs::check_key};

use crate::{
    clients::Clients,
    error::{Request, incomplete},
};

/// The bucket.
#[derive(Debug)]
pub(crate) struct Bucket {
    clients: Arc<Clients>,
    name: String,
    resource: String,
}

impl Bucket {
    pub(crate) fn new(clients: Arc<Clients>, name: &str) -> Self {
        Self { clients, name: name.to_owned(), resource: format!("the bucket {name}") }
    }

    fn request<'a>(&'a self, action: &'a str) -> Request<'a> {
        Request { resource: &self.resource, variable: "DCMP_BUCKET", action }
    }
}

/// A checksum as S3 has it.
fn base64(checksum: Checksum) -> String {
    BASE64.encode(checksum.digest())
}

fn checksum(text: &str) -> Option<Checksum> {
    let digest = BASE64.decode(text).ok()?;
    Some(Checksum::from_digest(digest.try_into().ok()?))
}

#[async_trait]
impl Blobs for Bucket {
    async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        check_key(key)?;
        let request = self
            .clients
            .blobs
            .put_object()
            .bucket(&self.name)
            .key(key)
            .checksum_sha256(base64(Checksum::of(&bytes)))
            .body(ByteStream::from(bytes));
        let answer = request.send().await;
        answer.map(drop).map_err(|error| self.request("s3:PutObject").failed(error))
    }

    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>> {
        check_key(key)?;
        let range = match range {
            // HTTP has no empty ranges
            Some(range) if range.is_empty() => {
                return Ok(self.head(key).await?.map(|_| Bytes::new()));
            }
            Some(range) => Some(format!("bytes={}-{}", range.start, range.end - 1)),
            None => None,
        };
        let request = self.clients.blobs.get_object().bucket(&self.name).key(key).set_range(range);
        match request.send().await {
            Ok(answer) => {
                let bytes = answer.body.collect().await.map_err(|error| {
                    Error::Unavailable(format!("an object of {} broke off: {error}", self.resource))
                })?;
                Ok(Some(bytes.into_bytes()))
            }
            Err(error) => match error.code() {
                Some("NoSuchKey") => Ok(None),
                // it begins behind the end
                Some("InvalidRange") => Ok(Some(Bytes::new())),
                // without s3:ListBucket S3 calls a missing object forbidden
                _ => Err(self.request("s3:GetObject and s3:ListBucket").failed(error)),
            },
        }
    }

    async fn head(&self, key: &str) -> Result<Option<Stored>> {
        check_key(key)?;
        let request = self.clients.blobs.head_object().bucket(&self.name).key(key);
        match request.send().await {
            Ok(answer) => {
                let size = answer.content_length.and_then(|size| size.try_into().ok());
                let size = size.ok_or_else(|| incomplete("s3:HeadObject", "length"))?;
                Ok(Some(Stored { size }))
            }
            // the answer to HEAD has no body that could say what it is that is not found
            Err(error) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 404) => {
                Ok(None)
            }
            Err(error) => Err(self.request("s3:GetObject and s3:ListBucket").failed(error)),
        }
    }

    async fn delete(&self, key: &str) -> Result<()> {
        check_key(key)?;
        let request = self.clients.blobs.delete_object().bucket(&self.name).key(key);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("NoSuchKey") => Ok(()),
            Err(error) => Err(self.request("s3:DeleteObject").failed(error)),
        }
    }

    fn presign(&self, key: &str, method: Method, expires: Duration, _base: &str) -> Result<String> {
        check_key(key)?;
        self.url(key, method, expires)
    }

    async fn start_upload(&self, key: &str) -> Result<String> {
        check_key(key)?;
        self.start(key).await
    }

    fn presign_part(
        &self,
        key: &str,
        upload: &str,
        part: Part,
        expires: Duration,
        _base: &str,
    ) -> Result<String> {
        check_key(key)?;
        part.check()?;
        self.part_url(key, upload, part, expires)
    }

    async fn put_part(&self, key: &str, upload: &str, part: Part, bytes: Bytes) -> Result<()> {
        check_key(key)?;
        part.check()?;
        self.send_part(key, upload, part, bytes).await
    }

    async fn uploaded_parts(&self, key: &str, upload: &str) -> Result<Vec<Uploaded>> {
        check_key(key)?;
        let parts = self.parts(key, upload).await?;
        Ok(parts.into_iter().map(|part| part.uploaded).collect())
    }

    async fn unfinished_uploads(&self, key: &str) -> Result<Vec<String>> {
        check_key(key)?;
        self.uploads(key).await
    }

    async fn complete_upload(&self, key: &str, upload: &str, parts: &[Part]) -> Result<Stored> {
        check_key(key)?;
        self.complete(key, upload, parts).await
    }

    async fn abort_upload(&self, key: &str, upload: &str) -> Result<()> {
        check_key(key)?;
        self.abort(key, upload).await
    }
}
