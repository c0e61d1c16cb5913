//! Uploads in parts. Each part's SHA-256 is kept by S3 and listed with it; the joined object has their
//! composite.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>

use aws_sdk_s3::{
    error::ProvideErrorMetadata,
    primitives::ByteStream,
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart},
};
use bytes::Bytes;
use ports::{Checksum, Error, Part, Result, Stored, Uploaded, blobs::check_parts};

use super::{Bucket, base64, checksum};
use crate::error::incomplete;

/// A part that S3 has, and the tag that names it.
pub(super) struct Found {
    pub(super) uploaded: Uploaded,
    tag: String,
}

impl Bucket {
    pub(super) async fn start(&self, key: &str) -> Result<String> {
        let request = self
            .clients
            .blobs
            .create_multipart_upload()
            .bucket(&self.name)
            .key(key)
            .checksum_algorithm(ChecksumAlgorithm::Sha256);
        let answer = request.send().await;
        let answer = answer.map_err(|error| self.request("s3:PutObject").failed(error))?;
        answer.upload_id.ok_or_else(|| incomplete("s3:CreateMultipartUpload", "upload id"))
    }

    pub(super) async fn send_part(
        &self,
        key: &str,
        upload: &str,
        part: Part,
        bytes: Bytes,
    ) -> Result<()> {
        // S3 would find that too, after all of it was sent
        if Checksum::of(&bytes) != part.checksum {
            return Err(Error::Invalid(format!(
                "the bytes of part {} do not have its checksum",
                part.number
            )));
        }
        let request = self
            .clients
            .blobs
            .upload_part()
            .bucket(&self.name)
            .key(key)
            .upload_id(upload)
            .part_number(part.number.cast_signed())
            .checksum_sha256(base64(part.checksum))
            .body(ByteStream::from(bytes));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("NoSuchUpload") => Err(missing()),
            Err(error) => Err(self.request("s3:PutObject").failed(error)),
        }
    }

    /// The parts that are there, by rising numbers.
    pub(super) async fn parts(&self, key: &str, upload: &str) -> Result<Vec<Found>> {
        let request = self.clients.blobs.list_parts().bucket(&self.name).key(key).upload_id(upload);
        let mut pages = request.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) if error.code() == Some("NoSuchUpload") => return Err(missing()),
                Err(error) => {
                    return Err(self.request("s3:ListMultipartUploadParts").failed(error));
                }
            };
            for part in page.parts.unwrap_or_default() {
                found.push(read(part).ok_or_else(|| {
                    incomplete("s3:ListMultipartUploadParts", "number, size, tag or SHA-256")
                })?);
            }
        }
        Ok(found)
    }

    pub(super) async fn uploads(&self, key: &str) -> Result<Vec<String>> {
        let (mut uploads, mut key_marker, mut upload_marker) = (Vec::new(), None, None);
        loop {
            let request = self
                .clients
                .blobs
                .list_multipart_uploads()
                .bucket(&self.name)
                .prefix(key)
                .set_key_marker(key_marker)
                .set_upload_id_marker(upload_marker);
            let answer = request.send().await;
            let page = answer
                .map_err(|error| self.request("s3:ListBucketMultipartUploads").failed(error))?;
            let of_key = page.uploads.unwrap_or_default().into_iter();
            let of_key = of_key.filter(|upload| upload.key.as_deref() == Some(key));
            uploads.extend(of_key.filter_map(|upload| upload.upload_id));
            if page.is_truncated != Some(true) || page.next_key_marker.is_none() {
                return Ok(uploads);
            }
            (key_marker, upload_marker) = (page.next_key_marker, page.next_upload_id_marker);
        }
    }

    /// S3 wants each part's tag to join them, so the parts are listed first; what is missing or has
    /// another checksum is seen by that.
    pub(super) async fn complete(&self, key: &str, upload: &str, parts: &[Part]) -> Result<Stored> {
        check_parts(parts)?;
        let found = self.parts(key, upload).await?;
        let mut size = 0;
        let mut completed = CompletedMultipartUpload::builder();
        for part in parts {
            let there = found.iter().find(|found| found.uploaded.part == *part);
            let Some(Found { uploaded, tag }) = there else {
                return Err(Error::Invalid(format!(
                    "part {} is missing or has another checksum: send it again",
                    part.number
                )));
            };
            size += uploaded.size;
            completed = completed.parts(
                CompletedPart::builder()
                    .part_number(part.number.cast_signed())
                    .e_tag(tag)
                    .checksum_sha256(base64(part.checksum))
                    .build(),
            );
        }
        let request = self
            .clients
            .blobs
            .complete_multipart_upload()
            .bucket(&self.name)
            .key(key)
            .upload_id(upload)
            .multipart_upload(completed.build());
        match request.send().await {
            Ok(_) => Ok(Stored { size }),
            Err(error) => Err(match error.code() {
                Some("NoSuchUpload") => missing(),
                Some("InvalidPart" | "InvalidPartOrder" | "EntityTooSmall" | "BadDigest") => {
                    let said = error.message().unwrap_or("without a message");
                    Error::Invalid(format!("the parts cannot be joined: {said}"))
                }
                _ => self.request("s3:PutObject").failed(error),
            }),
        }
    }

    pub(super) async fn abort(&self, key: &str, upload: &str) -> Result<()> {
        let request = self
            .clients
            .blobs
            .abort_multipart_upload()
            .bucket(&self.name)
            .key(key)
            .upload_id(upload);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("NoSuchUpload") => Ok(()),
            Err(error) => Err(self.request("s3:AbortMultipartUpload").failed(error)),
        }
    }
}

fn read(part: aws_sdk_s3::types::Part) -> Option<Found> {
    let uploaded_ms = part.last_modified.and_then(|time| time.to_millis().ok());
    let uploaded = Uploaded {
        part: Part {
            number: part.part_number?.try_into().ok()?,
            checksum: checksum(part.checksum_sha256.as_deref()?)?,
        },
        size: part.size?.try_into().ok()?,
        uploaded_ms: uploaded_ms.and_then(|ms| ms.try_into().ok()).unwrap_or(0),
    };
    Some(Found { uploaded, tag: part.e_tag? })
}

fn missing() -> Error {
    Error::NotFound("there is no such upload of this key".to_owned())
}
