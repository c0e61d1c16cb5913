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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use aws_credential_types::Credentials;
    use ports::{Blobs, Checksum};

    use super::*;
    use crate::{Config, Endpoints, clients::Clients};

    fn bucket() -> Bucket {
        let config = Config {
            region: "eu-central-1".to_owned(),
            credentials: Credentials::new("AKID", "secret", Some("token".into()), None, "test"),
            table: "t".to_owned(),
            bucket: "dcmp-test".to_owned(),
            queues: "https://sqs.eu-central-1.amazonaws.com/1/".to_owned(),
            functions: "dcmp-".to_owned(),
            socket: "https://s.execute-api.eu-central-1.amazonaws.com/test".to_owned(),
            endpoints: Endpoints::default(),
        };
        Bucket::new(Clients::new(&config), &config.bucket)
    }

    #[tokio::test]
    async fn a_url_names_bucket_and_time_and_signs_the_checksum() {
        let (bucket, hour) = (bucket(), Duration::from_secs(3600));
        let checksum = Checksum::of(b"bytes");
        let part = Part { number: 7, checksum };
        let get = bucket.presign("a/b.c", Method::Get, hour, "").unwrap();
        let put = bucket.presign("a/b.c", Method::Put(Some(checksum)), hour, "").unwrap();
        let part = bucket.presign_part("a/b.c", "up", part, hour, "").unwrap();
        for url in [&get, &put, &part] {
            let host = "https://dcmp-test.s3.eu-central-1.amazonaws.com/a/b.c?";
            assert!(url.starts_with(host), "{url}");
            for piece in ["X-Amz-Expires=3600", "X-Amz-Security-Token=token", "X-Amz-Signature="] {
                assert!(url.contains(piece), "{url}");
            }
        }
        assert!(get.contains("X-Amz-SignedHeaders=host&"), "{get}");
        for url in [&put, &part] {
            let signed = "X-Amz-SignedHeaders=host%3Bx-amz-checksum-sha256&";
            assert!(url.contains(signed), "{url}");
            assert!(!url.contains("crc32"), "{url}");
        }
        assert!(part.contains("partNumber=7") && part.contains("uploadId=up"), "{part}");
        let month = Duration::from_secs(30 * 24 * 3600);
        let refused = bucket.presign("a", Method::Get, month, "");
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    }
}
