//! Records: R1 to R9.

use futures::future::join_all;
use ports::{Condition, Error, Key, MAX_ITEM, MAX_TRANSACTION, Order, Query, Records, Write};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    Subject,
    support::{Failure, Outcome, checks, ensure, item, key, numbered, partition},
};

checks! {
    "R1" "a read sees every write before it" reads_its_writes;
    "R2" "of many writes on one version, one wins" one_wins;
    "R3" "a failed condition shows the item and changes nothing" conditions;
    "R4" "queries are ordered, bounded and complete over pages" queries;
    "R5" "a transaction is all or nothing" transactions;
    "R6" "what was durable survives a crash" durable;
    "R6" "what was read survives a crash once the latest is durable" latest;
    "R6" "what survives a crash is a prefix of the order" prefix;
    "R7" "what is too large or has no key is refused" limits;
    "R8" "an update counts and leaves the rest alone" updates;
    "R9" "an expired item goes, as a change" expiry;
}

async fn reads_its_writes(subject: &mut dyn Subject) -> Outcome {
    let ports = subject.ports();
    let (records, key) = (&ports.records, key(&ports));
    ensure!(records.get(&key).await?.is_none(), "an item is there before it was written");
    for number in 0..3 {
        records.write(Write::put(key.clone(), numbered(number), Condition::Always)).await?;
        let seen = records.get(&key).await?;
        ensure!(seen == Some(numbered(number)), "wrote {number}, read {seen:?}");
    }
    let missing = Key::new(&key.partition, "none");
    let both = records.batch_get(&[missing, key.clone()]).await?;
    ensure!(both == [None, Some(numbered(2))], "a batch read {both:?}");
    records.write(Write::delete(key.clone(), Condition::Always)).await?;
    ensure!(records.get(&key).await?.is_none(), "a deleted item is still there");
    Ok(())
}

async fn one_wins(subject: &mut dyn Subject) -> Outcome {
    let ports = subject.ports();
    let key = key(&ports);
    for condition in [Condition::Absent, Condition::Version(1), Condition::Version(2)] {
        let racers = (0..32).map(|racer| {
            let (records, key, condition) = (ports.records.clone(), key.clone(), condition.clone());
            tokio::spawn(async move {
                records.write(Write::update(key, numbered(racer), condition)).await
            })
        });
        let mut won = 0;
        for raced in join_all(racers).await {
            match raced.map_err(|error| Failure(error.to_string()))? {
                Ok(_) => won += 1,
                Err(Error::ConditionFailed(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        ensure!(won == 1, "{won} of 32 writes on {condition:?} won");
    }
    Ok(())
}

async fn conditions(subject: &mut dyn Subject) -> Outcome {
    let ports = subject.ports();
    let (records, key) = (&ports.records, key(&ports));
    for condition in [Condition::Exists, Condition::Version(0), Condition::Fence("f".into())] {
        let write = Write::put(key.clone(), numbered(0), condition.clone());
        let refused = records.write(write).await;
        let right = matches!(refused, Err(Error::ConditionFailed(None)));
        ensure!(right, "{condition:?} on no item gave {refused:?}");
    }
    let there = item(json!({"version": 4, "fences": {"live": {"n": 1}}, "a": "\u{0}\"ä"}));
    records.write(Write::put(key.clone(), there.clone(), Condition::Absent)).await?;
    for condition in [Condition::Absent, Condition::Version(3), Condition::Fence("dead".into())] {
        for write in [
            Write::put(key.clone(), numbered(1), condition.clone()),
            Write::update(key.clone(), numbered(1), condition.clone()),
            Write::delete(key.clone(), condition.clone()),
        ] {
            let refused = records.write(write).await;
            let right = match &refused {
                Err(Error::ConditionFailed(Some(old))) => *old == there,
                _ => false,
            };
            ensure!(right, "{condition:?} on {there:?} gave {refused:?}");
        }
    }
    let seen = records.get(&key).await?;
    ensure!(seen.as_ref() == Some(&there), "refused writes left {seen:?} of {there:?}");
    for condition in [Condition::Exists, Condition::Version(4), Condition::Fence("live".into())] {
        records.write(Write::put(key.clone(), there.clone(), condition)).await?;
    }
    Ok(())
}

async fn queries(subject: &mut dyn Subject) -> Outcome {
    let ports = subject.ports();
    let (records, partition) = (&ports.records, partition(&ports));
    let mut sorts = ["a", "a/1", "a/10", "a/2", "a0", "B", "b", "é", "z", "\u{10FFFF}", "a/\u{7F}"];
    for (number, sort) in sorts.iter().enumerate() {
        let write = |partition: &str| {
            let key = Key::new(partition, *sort);
            Write::put(key, numbered(number as u64), Condition::Absent)
        };
        records.write(write(&partition)).await?;
        records.write(write(&format!("{partition}0"))).await?;
    }
    sorts.sort_unstable_by_key(|sort| sort.as_bytes());
    expect(records, Query::new(&partition, "", 1000), sorts.iter().copied()).await?;
    let mut query = Query::new(&partition, "", 3);
    expect(records, query.clone(), sorts.iter().copied()).await?;
    query.order = Order::Descending;
    expect(records, query, sorts.iter().copied().rev()).await?;
    let mut query = Query::new(&partition, "a/", 2);
    let inside = |sort: &&str| sort.starts_with("a/");
    expect(records, query.clone(), sorts.iter().copied().filter(inside)).await?;
    query.order = Order::Descending;
    expect(records, query, sorts.iter().copied().rev().filter(inside)).await?;
    // Bounds that are no keys themselves, and bounds that are.
    for (after, until) in [("a/11", "b"), ("a/1", "c"), ("0", "\u{10FFFF}"), ("z", "a")] {
        let mut query = Query::new(&partition, "", 2);
        (query.after, query.until) = (Some(after.to_owned()), Some(until.to_owned()));
        let inside = |sort: &&str| *sort > after && *sort <= until;
        expect(records, query.clone(), sorts.iter().copied().filter(inside)).await?;
        query.order = Order::Descending;
        let inside = |sort: &&str| *sort < after && *sort >= until;
        expect(records, query, sorts.iter().copied().rev().filter(inside)).await?;
    }
    Ok(())
}

/// Walks all pages and compares.
async fn expect<'a>(
    records: &std::sync::Arc<dyn Records>,
    mut query: Query,
    sorts: impl Iterator<Item = &'a str>,
) -> Outcome {
    let (first, expected) = (format!("{query:?}"), sorts.collect::<Vec<_>>());
    let mut found = Vec::new();
    loop {
        let page = records.query(query.clone()).await?;
        ensure!(page.items.len() <= query.limit, "a page of {} items", page.items.len());
        found.extend(page.items.into_iter().map(|(sort, _)| sort));
        ensure!(found.len() <= expected.len(), "{first} found {found:?}, not {expected:?}");
        let Some(next) = page.next else { break };
        query.after = Some(next);
    }
    ensure!(found == expected, "{first} found {found:?}, not {expected:?}");
    Ok(())
}

async fn transactions(subject: &mut dyn Subject) -> Outcome {
    let ports = subject.ports();
    let (records, partition) = (&ports.records, partition(&ports));
    let put =
        |sort: &str, condition| Write::put(Key::new(&partition, sort), numbered(1), condition);
    let keys = ["a", "b", "c"].map(|sort| Key::new(&partition, sort));
    let refused =
        records.transact(vec![put("a", Condition::Absent), put("b", Condition::Exists)]).await;
    ensure!(matches!(refused, Err(Error::ConditionFailed(None))), "b is not there: {refused:?}");
    let left = records.batch_get(&keys).await?;
    ensure!(left == [None, None, None], "a transaction that failed left {left:?}");
    records.transact(vec![put("a", Condition::Absent), put("b", Condition::Absent)]).await?;
    let written = records.batch_get(&keys).await?;
    ensure!(
        written == [Some(numbered(1)), Some(numbered(1)), None],
        "a transaction wrote {written:?}"
    );
    let twice = records
        .transact(vec![
            put("c", Condition::Always),
            Write::delete(keys[2].clone(), Condition::Always),
        ])
        .await;
    ensure!(matches!(twice, Err(Error::Invalid(_))), "two writes to one item: {twice:?}");
    let left = records.get(&keys[2]).await?;
    ensure!(left.is_none(), "a refused transaction left {left:?}");
    Ok(())
}

async fn durable(subject: &mut dyn Subject) -> Outcome {
    let ports = subject.ports();
    let partition = partition(&ports);
    let key = |number: u64| Key::new(&partition, format!("{number:03}"));
    let mut token = ports::Token::default();
    for number in 0..20 {
        let write = Write::put(key(number), numbered(number), Condition::Absent);
        let next = ports.records.write(write).await?;
        ensure!(next >= token, "a later write has a smaller token");
        token = next;
    }
    ports.records.durable(token).await?;
    drop(ports);
    subject.crash().await;
    let ports = subject.ports();
    for number in 0..20 {
        let seen = ports.records.get(&key(number)).await?;
        ensure!(seen == Some(numbered(number)), "item {number} is {seen:?} after a crash");
    }
    Ok(())
}

async fn latest(subject: &mut dyn Subject) -> Outcome {
    let ports = subject.ports();
    let partition = partition(&ports);
    let key = |number: u64| Key::new(&partition, format!("{number:03}"));
    for number in 0..20 {
        let write = Write::put(key(number), numbered(number), Condition::Absent);
        // whoever reads it does not have this token
        let _unknown = ports.records.write(write).await?;
    }
    ports.records.durable(ports::Token::LATEST).await?;
    drop(ports);
    subject.crash().await;
    let ports = subject.ports();
    for number in 0..20 {
        let found = ports.records.get(&key(number)).await?;
        ensure!(found == Some(numbered(number)), "item {number} is {found:?} after a crash");
    }
    Ok(())
}

async fn prefix(subject: &mut dyn Subject) -> Outcome {
    let ports = subject.ports();
    let partition = partition(&ports);
    let key = |number: u64| Key::new(&partition, format!("{number:03}"));
    for number in 0..200 {
        let write = Write::put(key(number), numbered(number), Condition::Absent);
        ports.records.write(write).await?;
    }
    drop(ports);
    subject.crash().await;
    let ports = subject.ports();
    let mut lost = None;
    for number in 0..200 {
        match ports.records.get(&key(number)).await? {
            None => lost = lost.or(Some(number)),
            Some(_) => ensure!(lost.is_none(), "{number} is there and the earlier {lost:?} is not"),
        }
    }
    Ok(())
}

async fn limits(subject: &mut dyn Subject) -> Outcome {
    let ports = subject.ports();
    let (records, key) = (&ports.records, key(&ports));
    let large = |size: usize| item(json!({ "text": "x".repeat(size) }));
    records.write(Write::put(key.clone(), large(MAX_ITEM - 100), Condition::Always)).await?;
    let much = |number: usize| {
        Write::put(Key::new(&key.partition, number.to_string()), numbered(1), Condition::Always)
    };
    let writes = [
        Write::put(key.clone(), large(MAX_ITEM), Condition::Always),
        // more than any store's own encoding could save
        Write::update(
            key.clone(),
            item(json!({ "more": "x".repeat(20 << 10) })),
            Condition::Always,
        ),
        Write::put(Key::new("", "s"), numbered(1), Condition::Always),
        Write::put(Key::new("p", ""), numbered(1), Condition::Always),
    ];
    for (number, write) in writes.into_iter().enumerate() {
        let refused = records.write(write).await;
        ensure!(matches!(refused, Err(Error::Invalid(_))), "write {number}: {refused:?}");
    }
    let refused = records.transact((0..=MAX_TRANSACTION).map(much).collect()).await;
    ensure!(matches!(refused, Err(Error::Invalid(_))), "a transaction too large: {refused:?}");
    Ok(())
}

async fn updates(subject: &mut dyn Subject) -> Outcome {
    let ports = subject.ports();
    let (records, key) = (&ports.records, key(&ports));
    let first = item(json!({"kept": [1.5, {"deep": null}], "set": 1, "gone": true}));
    records.write(Write::put(key.clone(), first, Condition::Absent)).await?;
    let update = Write::Update {
        key: key.clone(),
        set: item(json!({"set": "2", "new": 1e300, "na\"me": "ü"})),
        remove: vec!["gone".into(), "never there".into()],
        condition: Condition::Exists,
    };
    records.write(update).await?;
    records
        .write(Write::update(key.clone(), item(json!({"set": 3})), Condition::Version(1)))
        .await?;
    let expected = item(json!({
        "kept": [1.5, {"deep": null}], "set": 3, "new": 1e300, "na\"me": "ü", "version": 2
    }));
    let seen = records.get(&key).await?;
    ensure!(seen.as_ref() == Some(&expected), "updates made {seen:?}, not {expected:?}");
    let made = Key::new(&key.partition, "made");
    records.write(Write::update(made.clone(), numbered(7), Condition::Absent)).await?;
    let seen = records.get(&made).await?;
    let expected = Some(item(json!({"number": 7, "version": 1})));
    ensure!(seen == expected, "an update made {seen:?}, not {expected:?}");
    Ok(())
}

async fn expiry(subject: &mut dyn Subject) -> Outcome {
    let (ports, patience) = (subject.ports(), subject.patience());
    let (records, partition) = (&ports.records, partition(&ports));
    let now = ports.clock.now_ms() / 1000;
    let (due, later) = (Key::new(&partition, "due"), Key::new(&partition, "later"));
    let expiring = |second: u64| item(json!({ "expires_at": second }));
    records.write(Write::put(later.clone(), expiring(now + 9999), Condition::Always)).await?;
    records.write(Write::put(due.clone(), expiring(now - 10), Condition::Always)).await?;
    let deadline = Instant::now() + patience;
    let mut removal = None;
    while removal.is_none() {
        ensure!(Instant::now() < deadline, "an expired item stays");
        let changes = ports.changes.read(&partition, 100, patience / 10).await?;
        for change in changes {
            ports.changes.checkpoint(&partition, &change.place).await?;
            if change.key == due && change.new.is_none() {
                removal = Some(change);
            }
        }
        sleep(patience / 100).await;
    }
    let old = removal.and_then(|change| change.old);
    ensure!(old == Some(expiring(now - 10)), "the removal shows {old:?} as what was");
    ensure!(records.get(&due).await?.is_none(), "an item is there after its removal");
    ensure!(records.get(&later).await?.is_some(), "an item was removed before its time");
    Ok(())
}
