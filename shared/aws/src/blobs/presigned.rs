//! Presigned URLs. The client signs them with what it has: nothing is sent, so it need not be waited
//! for. A checksum is among the signed headers: whoever uses the URL must send it, and S3 compares it
//! with the bytes.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html>

use std::time::Duration;

use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use futures::FutureExt;
use ports::{Error, Method, Part, Result};

use super::{Bucket, base64};

impl Bucket {
    pub(super) fn url(&self, key: &str, method: Method, expires: Duration) -> Result<String> {
        let (blobs, terms) = (&self.clients.blobs, terms(expires)?);
        match method {
            Method::Get => {
                let request = blobs.get_object().bucket(&self.name).key(key);
                signed(request.presigned(terms).now_or_never())
            }
            Method::Put(checksum) => {
                let request = blobs.put_object().bucket(&self.name).key(key);
                let request = request.set_checksum_sha256(checksum.map(base64));
                signed(request.presigned(terms).now_or_never())
            }
        }
    }

    pub(super) fn part_url(
        &self,
        key: &str,
        upload: &str,
        part: Part,
        expires: Duration,
    ) -> Result<String> {
        let request = self
            .clients
            .blobs
            .upload_part()
            .bucket(&self.name)
            .key(key)
            .upload_id(upload)
            .part_number(part.number.cast_signed())
            .checksum_sha256(base64(part.checksum));
        signed(request.presigned(terms(expires)?).now_or_never())
    }
}

fn terms(expires: Duration) -> Result<PresigningConfig> {
    // whole seconds; a URL that is good for none would be good for nothing
    let expires = Duration::from_secs(expires.as_secs().max(1));
    PresigningConfig::expires_in(expires).map_err(|error| Error::Invalid(error.to_string()))
}

fn signed<E: std::fmt::Display>(
    request: Option<std::result::Result<PresignedRequest, E>>,
) -> Result<String> {
    match request {
        Some(Ok(request)) => Ok(request.uri().to_owned()),
        Some(Err(error)) => Err(Error::Unavailable(format!("a URL was not signed: {error}"))),
        None => Err(Error::Unavailable(
            "a URL was not signed at once: the credentials are not those of the environment"
                .to_owned(),
        )),
    }
}
