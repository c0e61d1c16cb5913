//! What must be true of a directory after its process was killed.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use embedded::{Durability, Embedded, Options};
use ports::{Item, Key, Message, Ports, Query, Sequence};
use serde::Deserialize;

use super::load::{Acknowledged, WRITERS, blob, blob_key, partition, queue, sort};

/// How much was found.
#[derive(Default)]
pub(super) struct Survived {
    pub(super) records: usize,
    pub(super) messages: usize,
    pub(super) blobs: usize,
    pub(super) changes: usize,
}

impl Survived {
    pub(super) fn add(&mut self, round: &Self) {
        self.records += round.records;
        self.messages += round.messages;
        self.blobs += round.blobs;
        self.changes += round.changes;
    }
}

/// The name under which the feed is read here.
const CONSUMER: &str = "verify";

/// Opens the directory and compares it with what was acknowledged in the round.
pub(super) fn verify(
    directory: &Path,
    durability: Durability,
    round: u64,
    seed: u64,
    acknowledged: &Acknowledged,
) -> anyhow::Result<Survived> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let options = Options { durability, ..Options::default() };
        let store = Embedded::open(directory, options)?;
        let ports = store.ports();
        let records = records(&ports, round, acknowledged).await?;
        let survived = Survived {
            records: records.len(),
            changes: changes(&ports, round, records).await?,
            messages: messages(&ports, round, acknowledged).await?,
            blobs: blobs(&ports, round, seed, acknowledged).await?,
        };
        drop(ports);
        store.close().await?;
        Ok(survived)
    })
}

/// A record as the child writes it.
#[derive(Deserialize)]
struct Written {
    /// How much each writer had written.
    seen: Vec<u64>,
    #[serde(default)]
    done: bool,
}

/// The records of the round: those acknowledged are whole, and all are a prefix of the order.
async fn records(
    ports: &Ports,
    round: u64,
    acknowledged: &Acknowledged,
) -> anyhow::Result<BTreeMap<Key, Item>> {
    let mut found = BTreeMap::new();
    for writer in 0..WRITERS {
        let mut query = Query::new(partition(round, writer), "", 1000);
        loop {
            let page = ports.records.query(query.clone()).await?;
            let partition = &query.partition;
            let items = page.items.into_iter();
            found.extend(items.map(|(sort, item)| (Key::new(partition, sort), item)));
            let Some(next) = page.next else { break };
            query.after = Some(next);
        }
    }
    for (writer, number) in &acknowledged.records {
        let item = found.get(&Key::new(partition(round, *writer), sort(*number)));
        let done = item.map(Item::decode::<Written>).transpose()?.is_some_and(|item| item.done);
        ensure!(done, "record {number} of writer {writer} was acknowledged and is {item:?}");
    }
    let count = |writer| found.range(writer_keys(round, writer)).count() as u64;
    let counts: Vec<u64> = (0..WRITERS).map(count).collect();
    for (key, item) in &found {
        let Written { seen, .. } = item.decode()?;
        for (writer, seen) in seen.into_iter().enumerate() {
            ensure!(
                counts[writer] >= seen,
                "{} / {} survived, and not the record {} of writer {writer} that was there before",
                key.partition,
                key.sort,
                seen - 1
            );
        }
    }
    for (writer, count) in counts.iter().enumerate() {
        let last = Key::new(partition(round, writer as u64), sort(count.saturating_sub(1)));
        let contiguous = *count == 0 || found.contains_key(&last);
        ensure!(contiguous, "the {count} records of writer {writer} have a hole");
    }
    Ok(found)
}

fn writer_keys(round: u64, writer: u64) -> std::ops::RangeInclusive<Key> {
    let partition = partition(round, writer);
    Key::new(&partition, "")..=Key::new(&partition, "~")
}

/// The feed tells the history of exactly the records that are there.
async fn changes(ports: &Ports, round: u64, records: BTreeMap<Key, Item>) -> anyhow::Result<usize> {
    let (mut told, mut count, mut last) = (BTreeMap::<Key, Item>::new(), 0, Sequence::default());
    let prefix = format!("ROUND#{round}#");
    loop {
        let changes = ports.changes.read(CONSUMER, 1000, Duration::ZERO).await?;
        let Some(end) = changes.last().map(|change| change.place.clone()) else { break };
        for change in changes {
            let sequence = change.place.sequence;
            ensure!(sequence > last, "change {sequence} comes after {last}");
            last = sequence;
            // A checkpoint may be lost in a crash: then the feed tells of an earlier round again.
            if !change.key.partition.starts_with(&prefix) {
                continue;
            }
            let new = change.new.context("a record was deleted that nobody deleted")?;
            let before = told.insert(change.key, new);
            ensure!(before == change.old, "change {last} does not follow the one before it");
            count += 1;
        }
        ports.changes.checkpoint(CONSUMER, &end).await?;
    }
    let keys = |items: &BTreeMap<Key, Item>| items.keys().cloned().collect::<BTreeSet<_>>();
    let apart: Vec<_> = keys(&told).symmetric_difference(&keys(&records)).cloned().collect();
    ensure!(apart.is_empty(), "feed and records differ in {apart:?}");
    ensure!(told == records, "the feed tells of other items than the records are");
    Ok(count)
}

/// Every acknowledged message comes, unless its deletion had begun.
async fn messages(ports: &Ports, round: u64, acknowledged: &Acknowledged) -> anyhow::Result<usize> {
    let queue = queue(round);
    let mut found = BTreeSet::new();
    // What was received too often while it was left visible is among the dead letters.
    for queue in [queue.clone(), format!("{queue}-dead")] {
        loop {
            let hour = Duration::from_secs(3600);
            let messages = ports.queues.receive(&queue, 10, hour, Duration::ZERO).await?;
            if messages.is_empty() {
                break;
            }
            for received in messages {
                found.insert(message(&received)?);
                ports.queues.delete(&queue, &received.receipt).await?;
            }
        }
    }
    for (sender, number) in &acknowledged.messages {
        let there = found.contains(&(*sender, *number));
        let deleted = acknowledged.deleted.contains(&(*sender, *number));
        ensure!(
            there || deleted,
            "message {number} of sender {sender} was acknowledged and is gone"
        );
    }
    Ok(found.len())
}

/// Sender and number of a message.
pub(super) fn message(message: &Message) -> anyhow::Result<(u64, u64)> {
    match message.body.as_array().map(Vec::as_slice) {
        Some([sender, number]) => sender.as_u64().zip(number.as_u64()),
        _ => None,
    }
    .with_context(|| format!("a message came back as {}", message.body))
}

/// Every acknowledged blob is whole; others are whole or not there.
async fn blobs(
    ports: &Ports,
    round: u64,
    seed: u64,
    acknowledged: &Acknowledged,
) -> anyhow::Result<usize> {
    let mut number = 0;
    loop {
        let bytes = ports.blobs.get(&blob_key(round, number), None).await?;
        let Some(bytes) = bytes else { break };
        if bytes != blob(seed, round, number) {
            bail!("blob {number} came back with other bytes");
        }
        number += 1;
    }
    let last = acknowledged.blobs.last().map_or(0, |(_, last)| last + 1);
    ensure!(number >= last, "blob {number} was acknowledged and is gone");
    Ok(number as usize)
}
