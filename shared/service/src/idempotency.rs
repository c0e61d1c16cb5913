//! `Idempotency-Key` for everything that is created, but jobs, whose ids carry it themselves.
//!
//! The first request claims the key, does its work, and leaves its answer with the claim. A second
//! one finds the answer, or that the first is still at it.

use ports::{Condition, Write};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{App, Error, Result, table};

/// How long a key is remembered.
const KEPT_MS: u64 = 24 * 3600 * 1000;

/// How long a claim without an answer keeps others out: longer than any function runs.
const CLAIM_MS: u64 = 60_000;

/// A request that may be repeated.
pub struct Request<'a> {
    /// Keys of different customers never meet; the operator is `admin`.
    pub customer: &'a str,
    /// Nor do those of different routes.
    pub route: &'static str,
    /// The header.
    pub key: Option<&'a str>,
    /// What is compared, beside the key: SHA-256 of the meaning of the body.
    pub fingerprint: String,
}

#[derive(Serialize, Deserialize)]
struct Claim {
    fingerprint: String,
    made_ms: u64,
    answer: Option<serde_json::Value>,
    version: u64,
    expires_at: u64,
}

/// The hash of several texts, as a fingerprint.
pub fn fingerprint(parts: &[&str]) -> String {
    table::sha256_hex(parts)
}

/// Runs `create` once for the request; repetitions get the first answer, as `remember` left it
/// (an answer with a secret must leave the secret out).
///
/// # Errors
/// `IdempotencyMismatch` for another body, `Conflict` while the first request is in progress, and
/// whatever `create` fails with, in which case the key is free again.
pub async fn once<T, F>(
    app: &App,
    request: Request<'_>,
    create: F,
    remember: impl Fn(&T) -> T,
) -> Result<T>
where
    T: Serialize + DeserializeOwned,
    F: Future<Output = Result<T>>,
{
    let Some(key) = request.key else { return create.await };
    let records = &*app.ports.records;
    let key = table::idempotent(request.customer, request.route, key);
    let now = app.now_ms();
    let mut claim = Claim {
        fingerprint: request.fingerprint,
        made_ms: now,
        answer: None,
        version: 1,
        expires_at: (now + KEPT_MS) / 1000,
    };
    if let Err(old) = table::store(records, key.clone(), &claim, Condition::Absent).await? {
        let old: Claim = table::decode(old.unwrap_or_default())?;
        if now < old.made_ms + KEPT_MS {
            if old.fingerprint != claim.fingerprint {
                return Err(Error::IdempotencyMismatch);
            }
            if let Some(answer) = old.answer {
                return serde_json::from_value(answer).map_err(Error::internal);
            }
            if now < old.made_ms + CLAIM_MS {
                return Err(in_progress());
            }
        }
        claim.version = old.version + 1;
        let condition = Condition::Version(old.version);
        if table::store(records, key.clone(), &claim, condition).await?.is_err() {
            return Err(in_progress());
        }
    }
    match create.await {
        Ok(answer) => {
            let kept = serde_json::to_value(remember(&answer)).map_err(Error::internal)?;
            let set = table::encode(&serde_json::json!({ "answer": kept }))?;
            let condition = Condition::Version(claim.version);
            let token = records.write(Write::update(key, set, condition)).await?;
            records.durable(token).await?;
            Ok(answer)
        }
        Err(error) => {
            records.write(Write::delete(key, Condition::Version(claim.version))).await?;
            Err(error)
        }
    }
}

pub(crate) fn in_progress() -> Error {
    Error::Conflict(
        "a request with this Idempotency-Key is still in progress; try again in a moment"
            .to_owned(),
    )
}
