//! The process that is killed: writes as fast as it can and says what is durable.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use clap::Args;
use embedded::{Durability, Embedded, Options};
use ports::{Condition, Item, Key, Ports, Write};
use serde_json::json;
use tokio::task::JoinSet;

use super::load::{SENDERS, WRITERS, blob, blob_key, partition, queue, sort};

/// The child of `crash`.
#[derive(Args)]
pub(crate) struct Arguments {
    directory: PathBuf,
    round: u64,
    seed: u64,
    durability: Durability,
}

/// How far each writer is, durable or not; a record says how far all were before it was written.
type Progress = Arc<[AtomicU64; WRITERS as usize]>;

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(load(arguments))
}

async fn load(arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { directory, round, seed, durability } = arguments;
    let (round, seed) = (*round, *seed);
    let options = Options { durability: *durability, ..Options::default() };
    let store = Embedded::open(directory, options)?;
    let progress: Progress = Arc::new(std::array::from_fn(|_| AtomicU64::new(0)));
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        tasks.spawn(write(store.ports(), progress.clone(), round, writer));
    }
    for sender in 0..SENDERS {
        tasks.spawn(send(store.ports(), round, sender));
    }
    tasks.spawn(receive(store.ports(), round));
    tasks.spawn(put(store.ports(), round, seed));
    // None of them ends by itself, unless something fails.
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

/// The output is a pipe, and a line is handed to it at once.
fn say(kind: &str, who: u64, number: u64) {
    println!("{kind} {who} {number} .");
}

async fn write(ports: Ports, progress: Progress, round: u64, writer: u64) -> anyhow::Result<()> {
    for number in 0.. {
        let key = Key::new(partition(round, writer), sort(number));
        let seen: Vec<u64> =
            progress.iter().map(|written| written.load(Ordering::SeqCst)).collect();
        let item = Item::encode(&json!({ "seen": seen }))?;
        ports.records.write(Write::put(key.clone(), item, Condition::Absent)).await?;
        progress[writer as usize].store(number + 1, Ordering::SeqCst);
        let done = Item::encode(&json!({ "done": true }))?;
        let token = ports.records.write(Write::update(key, done, Condition::Version(0))).await?;
        ports.records.durable(token).await?;
        say("record", writer, number);
    }
    Ok(())
}

async fn send(ports: Ports, round: u64, sender: u64) -> anyhow::Result<()> {
    for number in 0.. {
        ports.queues.send(&queue(round), &json!([sender, number]), Duration::ZERO).await?;
        say("message", sender, number);
    }
    Ok(())
}

/// Deletes some of the messages, and leaves the others visible.
async fn receive(ports: Ports, round: u64) -> anyhow::Result<()> {
    let queue = queue(round);
    loop {
        let wait = Duration::from_millis(100);
        for message in ports.queues.receive(&queue, 10, Duration::ZERO, wait).await? {
            let (sender, number) = super::verify::message(&message)?;
            if number % 2 == 0 {
                say("deleting", sender, number);
                ports.queues.delete(&queue, &message.receipt).await?;
            }
        }
    }
}

async fn put(ports: Ports, round: u64, seed: u64) -> anyhow::Result<()> {
    for number in 0.. {
        let bytes = Bytes::from(blob(seed, round, number));
        ports.blobs.put(&blob_key(round, number), bytes).await?;
        say("blob", 0, number);
    }
    Ok(())
}
