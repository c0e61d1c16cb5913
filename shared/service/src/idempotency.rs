//! `Idempotency-Key` for everything that is created, but jobs, whose ids carry it themselves.
//!
//! The first request claims the key, does its work, and writes what it made together with its answer.
//! A second one finds the answer, or that the first is still at it. A claim without an answer is one
//! of which nothing was made.

use ports::{Condition, Key, Write};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{App, Error, Result, table};

/// How long a key is remembered.
const KEPT_MS: u64 = 24 * 3600 * 1000;

/// How long a claim without an answer keeps others out: longer than any function runs. Whoever comes
/// back later than that finds its claim taken over and can write nothing.
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

/// How what was made is written: with the claim of its `Idempotency-Key` if it has one, so that it and
/// the answer for repetitions are there together or not at all.
pub struct Commit(Option<Claimed>);

struct Claimed {
    key: Key,
    version: u64,
}

impl Commit {
    /// Of a request without an `Idempotency-Key`.
    pub fn alone() -> Self {
        Self(None)
    }

    /// Writes all of it and waits for the disk; repetitions get `answer`, from which secrets are left
    /// out.
    ///
    /// # Errors
    /// `Conflict`, with nothing written, when the claim was taken over because this took too long, or
    /// when there is such a thing already.
    pub(crate) async fn write(
        &self,
        app: &App,
        mut writes: Vec<Write>,
        answer: &impl Serialize,
    ) -> Result<()> {
        let claimed = self.0.is_some();
        if let Some(Claimed { key, version }) = &self.0 {
            let set = table::encode(&serde_json::json!({ "answer": answer }))?;
            writes.push(Write::update(key.clone(), set, Condition::Version(*version)));
        }
        let written = app.ports.records.transact(writes).await;
        match table::unless_failed(written)? {
            Ok(token) => Ok(app.ports.records.durable(token).await?),
            Err(_) if claimed => Err(in_progress()),
            Err(_) => {
                let message = "there is one with this id or this secret already";
                Err(Error::Conflict(message.to_owned()))
            }
        }
    }
}

/// Runs `create` once for the request; repetitions get the answer that it left with its [`Commit`].
///
/// # Errors
/// `IdempotencyMismatch` for another body, `Conflict` while the first request is in progress, and
/// whatever `create` fails with, in which case the key is free again.
pub async fn once<T, F>(
    app: &App,
    request: Request<'_>,
    create: impl FnOnce(Commit) -> F,
) -> Result<T>
where
    T: DeserializeOwned,
    F: Future<Output = Result<T>>,
{
    let Some(key) = request.key else { return create(Commit::alone()).await };
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
    let version = claim.version;
    let made = create(Commit(Some(Claimed { key: key.clone(), version }))).await;
    if made.is_err() {
        // on the condition that nothing was made; should this fail, the claim ends by itself
        let free = records.write(Write::delete(key, Condition::Version(version))).await;
        if let Err(cause) = table::unless_failed(free) {
            tracing::warn!(%cause, "could not free the Idempotency-Key of a refused request");
        }
    }
    made
}

pub(crate) fn in_progress() -> Error {
    Error::Conflict(
        "a request with this Idempotency-Key is still in progress; try again in a moment"
            .to_owned(),
    )
}
