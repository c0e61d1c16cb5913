//! Where things are in the table: `docs/decisions/keys.md` says why.

use std::sync::Arc;

use domain::batch::Batch;
use ports::{Condition, Error as PortError, Item, Key, Order, Query, Records, Token, Write};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// How many partitions the list of open jobs is spread over.
pub(crate) const OPEN_SHARDS: u32 = 8;

pub(crate) fn api_key(hash: &str) -> Key {
    Key::new(format!("KEY#{hash}"), "HEAD")
}

/// All customers, for the operator's list.
pub(crate) const CUSTOMERS: &str = "CUSTOMERS";

pub(crate) fn customer(id: &str) -> Key {
    Key::new(CUSTOMERS, id)
}

/// What belongs to a customer: pointers for lists.
pub(crate) fn owned(customer: &str, kind: &str, id: &str) -> Key {
    Key::new(owner(customer), format!("{kind}#{id}"))
}

pub(crate) fn owner(customer: &str) -> String {
    format!("C#{customer}")
}

/// Where a key's secret hash is found by the key's id.
pub(crate) fn key_by_id(id: &str) -> Key {
    Key::new(format!("KEYID#{id}"), "HEAD")
}

pub(crate) fn model(id: &str) -> Key {
    Key::new(model_rows(id), "HEAD")
}

/// What belongs to a model.
pub(crate) fn model_rows(id: &str) -> String {
    format!("MODEL#{id}")
}

/// A version of a model; sorted by its number.
pub(crate) fn model_version(id: &str, number: u32) -> Key {
    Key::new(model_rows(id), format!("V#{number:010}"))
}

/// The upload of a version whose file comes in parts.
pub(crate) fn model_upload(id: &str, number: u32) -> Key {
    Key::new(model_rows(id), format!("U#{number:010}"))
}

/// Files on their way, in the order in which they are looked after.
pub(crate) const PENDING: &str = "PENDING";

pub(crate) fn pending(due_ms: u64, blob: &str) -> Key {
    Key::new(PENDING, format!("{due_ms:020}#{blob}"))
}

/// A revision of a model's description.
pub(crate) fn model_revision(id: &str, revision: u32) -> Key {
    Key::new(model_rows(id), format!("R#{revision:010}"))
}

pub(crate) fn dataset(id: &str) -> Key {
    Key::new(format!("DATASET#{id}"), "HEAD")
}

/// The upload of a dataset whose file comes in parts.
pub(crate) fn dataset_upload(id: &str) -> Key {
    Key::new(format!("DATASET#{id}"), "UPLOAD")
}

pub(crate) fn job(id: &str) -> Key {
    Key::new(format!("JOB#{id}"), "HEAD")
}

/// The result of an attempt that is too large for the job's item.
pub(crate) fn result(job: &str, fence: &str) -> Key {
    Key::new(format!("JOB#{job}"), format!("R#{fence}"))
}

/// A batch; its chunks are jobs.
pub(crate) fn batch(id: &str) -> Key {
    Key::new(format!("BATCH#{id}"), "HEAD")
}

/// In its owner's list, by age.
pub(crate) fn batch_pointer(batch: &Batch) -> Key {
    owned(&batch.customer, "BATCH", &format!("{:020}#{}", batch.created_us, batch.id))
}

/// The batches that devices of a scope work on, by age.
pub(crate) fn batch_turns(scope: &str) -> String {
    format!("BATCHES#{scope}")
}

pub(crate) fn batch_turn(batch: &Batch) -> Key {
    let sort = format!("{:020}#{}", batch.created_us, batch.id);
    Key::new(batch_turns(crate::batch::scope(batch)), sort)
}

/// All batches that are not over, for the sweep.
pub(crate) const OPEN_BATCHES: &str = "OPENBATCHES";

pub(crate) fn open_batch(id: &str) -> Key {
    Key::new(OPEN_BATCHES, id)
}

/// A chunk that waits for a device, in the order of its batch.
pub(crate) fn waiting_chunk(batch: &str, number: u32) -> Key {
    Key::new(waiting(batch), format!("{number:010}"))
}

pub(crate) fn device(id: &str) -> Key {
    Key::new(format!("DEV#{id}"), "HEAD")
}

/// What a device did, folded from the feed.
pub(crate) fn device_stats(id: &str) -> Key {
    Key::new(format!("DEV#{id}"), "STATS")
}

/// What a device answered when it was asked for its log.
pub(crate) fn device_logs(id: &str, request: &str) -> Key {
    Key::new(format!("DEV#{id}"), format!("LOGS#{request}"))
}

pub(crate) fn connection(id: &str) -> Key {
    Key::new(format!("CONN#{id}"), "HEAD")
}

pub(crate) fn pool(scope: &str) -> String {
    format!("POOL#{scope}")
}

pub(crate) fn pool_page(scope: &str, shard: u32) -> Key {
    Key::new(pool(scope), format!("{shard:02x}"))
}

pub(crate) fn waiting(scope: &str) -> String {
    format!("WAIT#{scope}")
}

/// Oldest first within a scope.
pub(crate) fn waiting_job(scope: &str, created_us: u64, job: &str) -> Key {
    Key::new(waiting(scope), format!("{created_us:020}#{job}"))
}

pub(crate) fn open_shard(shard: u32) -> String {
    format!("OPEN#{shard}")
}

pub(crate) fn open_job(job: &str) -> Key {
    let shard = domain::fleet::shard(job) % OPEN_SHARDS;
    Key::new(open_shard(shard), job)
}

pub(crate) fn idempotent(customer: &str, route: &str, key: &str) -> Key {
    Key::new(format!("IDEM#{}", sha256_hex(&[customer, route, key])), "HEAD")
}

/// SHA-256 over the parts, each followed by a byte that no part holds, in hex.
pub(crate) fn sha256_hex(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0xff]);
    }
    hex::encode(hash.finalize())
}

/// A value as an item.
pub(crate) fn encode(value: &impl Serialize) -> Result<Item> {
    Item::encode(value).map_err(Error::internal)
}

/// An item as a value.
pub(crate) fn decode<T: DeserializeOwned>(item: Item) -> Result<T> {
    item.decode().map_err(Error::internal)
}

/// An item as a value. One that is not what its reader takes it for is named in the log and left
/// out: where many are read, a single one must not hold up the rest.
pub(crate) fn readable<T: DeserializeOwned>(key: &Key, item: &Item) -> Option<T> {
    item.decode().inspect_err(|cause| skipped(key, cause)).ok()
}

/// As [`readable`], for what several read.
pub(crate) fn readable_shared<T: DeserializeOwned + Send + Sync + 'static>(
    key: &Key,
    item: &Item,
) -> Option<Arc<T>> {
    item.shared().inspect_err(|cause| skipped(key, cause)).ok()
}

fn skipped(key: &Key, cause: &PortError) {
    tracing::error!(%cause, ?key, "an item cannot be read and is skipped");
}

/// Reads one item as a value.
pub(crate) async fn load<T: DeserializeOwned>(
    records: &dyn Records,
    key: &Key,
) -> Result<Option<T>> {
    records.get(key).await?.map(decode).transpose()
}

/// Writes a value; the old item when the condition did not hold.
pub(crate) async fn store(
    records: &dyn Records,
    key: Key,
    value: &impl Serialize,
    condition: Condition,
) -> Result<std::result::Result<Token, Option<Item>>> {
    put(records, key, encode(value)?, condition).await
}

/// As [`store`], with a copy of the value kept for those who read the change in this process.
pub(crate) async fn store_kept<T: Serialize + Clone + Send + Sync + 'static>(
    records: &dyn Records,
    key: Key,
    value: &T,
    condition: Condition,
) -> Result<std::result::Result<Token, Option<Item>>> {
    let item = Item::keeping(value.clone()).map_err(Error::internal)?;
    put(records, key, item, condition).await
}

async fn put(
    records: &dyn Records,
    key: Key,
    item: Item,
    condition: Condition,
) -> Result<std::result::Result<Token, Option<Item>>> {
    unless_failed(records.write(Write::put(key, item, condition)).await)
}

/// Tells a failed condition, which callers expect, from a broken store.
pub(crate) fn unless_failed(
    written: ports::Result<Token>,
) -> Result<std::result::Result<Token, Option<Item>>> {
    match written {
        Ok(token) => Ok(Ok(token)),
        Err(PortError::ConditionFailed(old)) => Ok(Err(old)),
        Err(error) => Err(error.into()),
    }
}

/// One page of a partition for a list: the sort keys without `prefix`, the items, and the cursor.
pub(crate) async fn page(
    records: &dyn Records,
    partition: String,
    prefix: &str,
    cursor: Option<&str>,
    limit: usize,
    order: Order,
) -> Result<(Vec<(String, Item)>, Option<String>)> {
    let after = cursor.map(|cursor| format!("{prefix}{cursor}"));
    let query = Query { after, order, ..Query::new(partition, prefix, limit) };
    let page = records.query(query).await?;
    let strip = |sort: String| sort.strip_prefix(prefix).map_or(sort.clone(), str::to_owned);
    let items = page.items.into_iter().map(|(sort, item)| (strip(sort), item)).collect();
    Ok((items, page.next.map(strip)))
}

/// How many items of a partition begin with `prefix`.
pub(crate) async fn count(records: &dyn Records, partition: &str, prefix: &str) -> Result<u64> {
    let mut query = Query::new(partition, prefix, 1000);
    let mut total = 0;
    loop {
        let page = records.query(query.clone()).await?;
        total += page.items.len() as u64;
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(total),
        }
    }
}
