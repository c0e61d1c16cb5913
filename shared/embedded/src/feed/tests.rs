#![allow(clippy::unwrap_used, reason = "tests")]

use std::{sync::Arc, time::Duration};

use ports::{Changes, Clock, Condition, Item, Key, Records, Write};

use super::{LocalChanges, NAME, SEGMENT};
use crate::{clock::SystemClock, durability::Durability, engine::Engine, table::Table};

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
        read.iter().map(|change| change.sequence).collect::<Vec<_>>()
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
    changes.checkpoint("quick", last).await.unwrap();
    changes.checkpoint("slow", SEGMENT - 5).await.unwrap();
    engine.tend_feed().unwrap();
    assert_eq!(segments(&engine), 4, "the slow one is not done with the first");
    // Over the border of two segments, nothing is left out.
    let expected: Vec<_> = (SEGMENT - 4..SEGMENT + 6).collect();
    assert_eq!(read("slow").await, expected);
    changes.checkpoint("slow", last - 3).await.unwrap();
    engine.tend_feed().unwrap();
    assert_eq!(segments(&engine), 2, "the last entries and the newest segment are kept");
    assert_eq!(read("slow").await, [last - 2, last - 1, last]);
    changes.checkpoint("slow", last).await.unwrap();
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
        LocalChanges(engine.clone()).checkpoint("only", u64::from(u32::MAX)).await.unwrap();
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
