//! The object store.

use std::{ops::Range, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// The longest key in bytes.
const MAX_KEY: usize = 512;

/// The greatest number of a part, S3's limit.
const MAX_PARTS: u32 = 10_000;

/// A SHA-256; shown and stored as `sha256:` and 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Checksum([u8; 32]);

impl Checksum {
    /// The checksum of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The 32 bytes, as base64 of them is S3's form.
    pub fn digest(&self) -> &[u8; 32] {
        &self.0
    }

    /// The checksum whose digest was computed elsewhere, such as over a stream.
    pub fn from_digest(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// Reads `sha256:` and 64 hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut digest = [0; 32];
        hex::decode_to_slice(text.strip_prefix("sha256:")?, &mut digest).ok()?;
        Some(Self(digest))
    }

    /// The 64 hex digits alone, as in file names.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl std::fmt::Display for Checksum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl std::fmt::Debug for Checksum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl Serialize for Checksum {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Checksum {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("a checksum is `sha256:` and 64 hex digits"))
    }
}

/// What a stored object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its length in bytes.
    pub size: u64,
}

/// What a presigned URL allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read the whole object or ranges of it.
    Get,
    /// Write the object once; the bytes must have this checksum when one is given.
    Put(Option<Checksum>),
}

/// One uploaded part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// From 1 to 10 000; parts are joined in this order.
    pub number: u32,
    /// Of its bytes.
    pub checksum: Checksum,
}

impl Part {
    /// Whether its number is allowed.
    ///
    /// # Errors
    /// [`Invalid`](Error::Invalid) with the allowed numbers.
    pub fn check(&self) -> Result<()> {
        if (1..=MAX_PARTS).contains(&self.number) {
            return Ok(());
        }
        let number = self.number;
        Err(Error::Invalid(format!("part {number}: parts are numbered 1 to {MAX_PARTS}")))
    }
}

/// Whether an upload may be completed with these parts.
///
/// # Errors
/// [`Invalid`](Error::Invalid) with what to change.
pub fn check_parts(parts: &[Part]) -> Result<()> {
    if parts.is_empty() {
        return Err(Error::Invalid("an upload is completed with at least one part".to_owned()));
    }
    if parts.windows(2).any(|pair| pair[0].number >= pair[1].number) {
        return Err(Error::Invalid("list the parts by rising numbers, each once".to_owned()));
    }
    parts.iter().try_for_each(Part::check)
}

/// Whether `key` may name an object; see [`Blobs`].
///
/// # Errors
/// [`Invalid`](Error::Invalid) with what is allowed.
pub fn check_key(key: &str) -> Result<()> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    let fits = (1..=MAX_KEY).contains(&key.len());
    let segments = !key.split('/').any(|segment| matches!(segment, "" | "." | ".."));
    if fits && segments && key.bytes().all(allowed) {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "the blob key {:?} is not 1 to {MAX_KEY} bytes of A-Z a-z 0-9 . _ - / without empty, `.` \
         or `..` segments",
        key.chars().take(80).collect::<String>()
    )))
}

/// A part that is there, of an upload that is not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// Its number and checksum.
    pub part: Part,
    /// Its length in bytes.
    pub size: u64,
    /// When it came, in epoch milliseconds.
    pub uploaded_ms: u64,
}

/// The object store: S3's semantics.
///
/// Keys are 1 to 512 bytes of `A-Z a-z 0-9 . _ - /`, without empty, `.` or `..` segments; anything
/// else is [`Invalid`](crate::Error::Invalid).
///
/// An implementation MUST:
/// * **B1** show an object wholly or not at all: never a part of a `put` that fails or is under way;
/// * **B2** have the object on disk when `put` or `complete` returns;
/// * **B3** read its writes, replacements and deletions too;
/// * **B4** refuse a part or a presigned `Put` whose bytes do not have the named checksum;
/// * **B5** refuse `complete` when a listed part is missing or its checksum differs, and keep
///   nothing of an aborted upload;
/// * **B6** honour a presigned URL for its method and key only, and only until it expires;
/// * **B7** take deletion of a missing object as done;
/// * **B8** keep every key inside its own space: no key reaches another object or file;
/// * **B9** list the unfinished uploads of a key and the parts that came of each, neither more nor less.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Stores `bytes` under `key`, replacing what was there.
    async fn put(&self, key: &str, bytes: Bytes) -> Result<()>;

    /// The bytes of the object, or `range` of them (clipped to its end); `None` when there is none.
    async fn get(&self, key: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>>;

    /// What is stored under `key`, without its bytes.
    async fn head(&self, key: &str) -> Result<Option<Stored>>;

    /// Removes the object.
    async fn delete(&self, key: &str) -> Result<()>;

    /// A URL that allows `method` on `key` for `expires`, to whoever holds it. `base` is where the
    /// caller reached the platform (`http://host:port`), for stores that the platform serves itself.
    fn presign(&self, key: &str, method: Method, expires: Duration, base: &str) -> Result<String>;

    /// Begins an upload in parts; the answer is the upload's id.
    async fn start_upload(&self, key: &str) -> Result<String>;

    /// A URL that allows to write one part of the upload, with exactly the part's checksum.
    fn presign_part(
        &self,
        key: &str,
        upload: &str,
        part: Part,
        expires: Duration,
        base: &str,
    ) -> Result<String>;

    /// Stores one part directly.
    async fn put_part(&self, key: &str, upload: &str, part: Part, bytes: Bytes) -> Result<()>;

    /// The parts that are there, by rising numbers.
    async fn uploaded_parts(&self, key: &str, upload: &str) -> Result<Vec<Uploaded>>;

    /// The ids of the key's unfinished uploads: also of those whose beginner died before it could
    /// note the id.
    async fn unfinished_uploads(&self, key: &str) -> Result<Vec<String>>;

    /// Joins the parts into the object; the upload is then finished, and not there any more.
    async fn complete_upload(&self, key: &str, upload: &str, parts: &[Part]) -> Result<Stored>;

    /// Forgets the upload and its parts.
    async fn abort_upload(&self, key: &str, upload: &str) -> Result<()>;
}
