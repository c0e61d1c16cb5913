//! What a presigned URL allows, and the signature that says so.

use hmac::{Hmac, Mac};
use ports::{Checksum, Part};
use serde::Deserialize;
use sha2::Sha256;

/// Where the platform serves blobs.
pub(super) const PATH: &str = "/_blobs/";

/// What is allowed, all of it signed.
#[derive(Debug, PartialEq)]
pub(super) struct Grant<'a> {
    method: &'static str,
    key: &'a str,
    terms: Terms<'a>,
}

/// The query of a presigned URL, without the signature.
#[derive(Debug, Default, PartialEq)]
struct Terms<'a> {
    expires_ms: u64,
    checksum: Option<Checksum>,
    upload: Option<&'a str>,
    part: Option<u32>,
}

/// The query of a presigned URL.
#[derive(Debug, Deserialize)]
pub(super) struct Signed {
    /// In epoch milliseconds.
    expires: u64,
    pub(super) checksum: Option<Checksum>,
    pub(super) upload: Option<String>,
    pub(super) part: Option<u32>,
    sig: String,
}

/// Why a URL opens nothing.
#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    Expired,
    Forged,
}

impl<'a> Grant<'a> {
    pub(super) fn get(key: &'a str, expires_ms: u64) -> Self {
        Self { method: "GET", key, terms: Terms { expires_ms, ..Terms::default() } }
    }

    pub(super) fn put(key: &'a str, expires_ms: u64, checksum: Option<Checksum>) -> Self {
        Self { method: "PUT", key, terms: Terms { expires_ms, checksum, ..Terms::default() } }
    }

    pub(super) fn part(key: &'a str, expires_ms: u64, upload: &'a str, part: Part) -> Self {
        let (checksum, upload, part) = (Some(part.checksum), Some(upload), Some(part.number));
        Self { method: "PUT", key, terms: Terms { expires_ms, checksum, upload, part } }
    }

    /// The URL, below `base`.
    pub(super) fn url(&self, secret: &[u8], base: &str) -> String {
        use std::fmt::Write;

        let Self { key, terms, .. } = self;
        let mut url =
            format!("{}{PATH}{key}?expires={}", base.trim_end_matches('/'), terms.expires_ms);
        let mut add = |name, value: &dyn std::fmt::Display| {
            write!(url, "&{name}={value}").expect("writing to a text cannot fail");
        };
        if let Some(checksum) = &terms.checksum {
            add("checksum", checksum);
        }
        if let Some(upload) = &terms.upload {
            add("upload", upload);
        }
        if let Some(part) = &terms.part {
            add("part", part);
        }
        add("sig", &hex::encode(self.mac(secret).finalize().into_bytes()));
        url
    }

    fn mac(&self, secret: &[u8]) -> Hmac<Sha256> {
        let Self { method, key, terms: Terms { expires_ms, checksum, upload, part } } = self;
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
        // A line each: none of them can contain a line break.
        let checksum = checksum.map(|checksum| checksum.to_string()).unwrap_or_default();
        let part = part.map(|part| part.to_string()).unwrap_or_default();
        let upload = upload.unwrap_or_default();
        mac.update(
            format!("{method}\n{key}\n{expires_ms}\n{checksum}\n{upload}\n{part}").as_bytes(),
        );
        mac
    }
}

impl Signed {
    /// Whether this was signed for `method` on `key` and is still good. The comparison takes the
    /// same time whatever the signature.
    pub(super) fn check(
        &self,
        secret: &[u8],
        method: &'static str,
        key: &str,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let terms = Terms {
            expires_ms: self.expires,
            checksum: self.checksum,
            upload: self.upload.as_deref(),
            part: self.part,
        };
        let expected = Grant { method, key, terms }.mac(secret).finalize().into_bytes();
        let given = hex::decode(&self.sig).map_err(|_| Refusal::Forged)?;
        let equal: bool = subtle::ConstantTimeEq::ct_eq(expected.as_slice(), &given).into();
        if !equal {
            return Err(Refusal::Forged);
        }
        if now_ms >= self.expires {
            return Err(Refusal::Expired);
        }
        Ok(())
    }
}
