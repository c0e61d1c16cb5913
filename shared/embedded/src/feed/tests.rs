#![allow(clippy::unwrap_used, reason = "tests")]

use std::{sync::Arc, time::Duration};

use clock::SystemClock;
use ports::{Changes, Clock, Condition, Item, Key, Records, Write};

use serde_json::json;

use super::{LocalChanges, NAME, SEGMENT, entry::place, recent::MAX_BYTES};
use crate::{durability::Durability, engine::Engine, table::Table};

fn engine(folder: &std::path::Path) -> Arc<Engine> {
    let clock = Arc::new(SystemClock::new());
    Arc::new(Engine::open(folder, Durability::Process, clock).unwrap())
}

fn segments(engine: &Engine) -> usize {
    let names = engine.database.list_keyspace_names();
    names.iter().filter(|name| name.starts_with(NAME)).count()
}

async fn write(engine: &Arc<Engine>, transactions: u64) {
    let table = Table(engine.clone());
    for _ in 0..transactions {
        let key = |sort: u64| Key::new("p", sort.to_string());
        let put = |sort| Write::put(key(sort), Item::default(), Condition::Always);
        table.transact((0..100).map(put).collect()).await.unwrap();
    }
}

#[tokio::test]
async fn what_every_consumer_is_done_with_is_dropped_by_segments() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    let changes = LocalChanges(engine.clone());
    let read = async |consumer: &str| {
        let read = changes.read(consumer, 10, Duration::ZERO).await.unwrap();
        read.iter().filter_map(|change| change.place.sequence.number()).collect::<Vec<_>>()
    };
    write(&engine, 1).await;
    assert_eq!(read("quick").await[0], 1);
    assert_eq!(read("slow").await[0], 1);
    for _ in 0..3 {
        write(&engine, SEGMENT / 100 + 1).await;
        engine.tend_feed().unwrap();
    }
    assert_eq!(segments(&engine), 4);
    let last = 100 + 3 * (SEGMENT + 100);
    changes.checkpoint("quick", &place(last)).await.unwrap();
    changes.checkpoint("slow", &place(SEGMENT - 5)).await.unwrap();
    engine.tend_feed().unwrap();
    assert_eq!(segments(&engine), 4, "the slow one is not done with the first");
    // Over the border of two segments, nothing is left out.
    let expected: Vec<_> = (SEGMENT - 4..SEGMENT + 6).collect();
    assert_eq!(read("slow").await, expected);
    changes.checkpoint("slow", &place(last - 3)).await.unwrap();
    engine.tend_feed().unwrap();
    assert_eq!(segments(&engine), 2, "the last entries and the newest segment are kept");
    assert_eq!(read("slow").await, [last - 2, last - 1, last]);
    changes.checkpoint("slow", &place(last)).await.unwrap();
    engine.tend_feed().unwrap();
    assert_eq!(segments(&engine), 1);
    assert_eq!(read("quick").await, [0; 0]);
    assert_eq!(read("new").await, [0; 0]);
}

/// Numbers go on behind the greatest, even when nothing of the feed is left.
#[tokio::test]
async fn numbers_never_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let last = {
        let engine = engine(folder.path());
        LocalChanges(engine.clone()).checkpoint("only", &place(u64::from(u32::MAX))).await.unwrap();
        write(&engine, SEGMENT / 100 + 1).await;
        engine.tend_feed().unwrap();
        assert_eq!(segments(&engine), 1);
        SEGMENT + 100
    };
    let engine = engine(folder.path());
    write(&engine, 1).await;
    let table = Table(engine.clone());
    let token = table.write(Write::delete(Key::new("p", "1"), Condition::Exists)).await.unwrap();
    assert!(token.0 > last + 100, "{token:?}");
}

#[tokio::test]
async fn old_changes_are_forgotten_without_consumers_too() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path());
    write(&engine, SEGMENT / 100 + 1).await;
    engine.tend_feed().unwrap();
    assert_eq!(segments(&engine), 2);
    let tomorrow = engine.clock.now_ms() + super::KEPT_MS + 1000;
    assert_eq!(engine.feed.obsolete(tomorrow).unwrap().len(), 1);
}

/// A consumer reads the same whether it keeps up, and reads from memory, or comes late.
#[tokio::test]
async fn what_is_in_memory_and_what_is_on_disk_are_one_feed() {
    const WRITES: u64 = 100;
    let folder = tempfile::tempdir().unwrap();
    let text = "x".repeat(2 * MAX_BYTES / WRITES as usize);
    let item = |number: u64| Item::keeping(json!({ "number": number, "text": text })).unwrap();
    let put = |number| Write::put(Key::new("p", "s"), item(number), Condition::Always);
    let read = async |engine: &Arc<Engine>, consumer: &str, expected: u64| {
        let changes = LocalChanges(engine.clone());
        let read = changes.read(consumer, 7, Duration::ZERO).await.unwrap();
        for (number, change) in (expected..).zip(&read) {
            assert_eq!(change.place, place(number));
            assert_eq!(change.old.clone(), (number > 1).then(|| item(number - 1)));
            assert_eq!(change.new.clone(), Some(item(number)));
        }
        let last = expected + read.len() as u64;
        changes.checkpoint(consumer, &place(last - 1)).await.unwrap();
        last
    };
    let mut quick = 1;
    {
        let table = Table(engine(folder.path()));
        for number in 1..=WRITES / 2 {
            table.write(put(number)).await.unwrap();
            quick = read(&table.0, "quick", quick).await;
            assert_eq!(quick, number + 1);
        }
    }
    let table = Table(engine(folder.path()));
    for number in WRITES / 2 + 1..=WRITES {
        table.write(put(number)).await.unwrap();
        quick = read(&table.0, "quick", quick).await;
        assert_eq!(quick, number + 1);
    }
    let mut slow = 1;
    while slow <= WRITES {
        slow = read(&table.0, "slow", slow).await;
    }
    for consumer in ["quick", "slow"] {
        assert_eq!(read(&table.0, consumer, WRITES + 1).await, WRITES + 1);
    }
}
