//! Changes: C1 to C5.

use std::{collections::BTreeMap, time::Duration};

use ports::{Change, Condition, Item, Key, Place, Ports, Sequence, Write};
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::{
    Subject,
    support::{Failure, Outcome, checks, ensure, item, key, numbered, partition},
};

checks! {
    "C1" "every change arrives, those of one item in order" complete;
    "C2" "what was not checkpointed comes again, after a crash too" again;
    "C3" "changes show the item before and after" images;
    "C4" "consumers do not share their place" apart;
    "C5" "a watch misses nothing" watch;
}

/// Reads and checkpoints, few at a time, until `wanted` changes of the partition were seen.
async fn read_all(
    ports: &Ports,
    consumer: &str,
    partition: &str,
    wanted: usize,
    patience: Duration,
) -> Result<Vec<Change>, Failure> {
    let deadline = Instant::now() + patience;
    let (mut seen, mut last) = (Vec::<Change>::new(), BTreeMap::<_, Sequence>::new());
    while seen.len() < wanted {
        ensure!(Instant::now() < deadline, "{} of {wanted} changes came", seen.len());
        let batch = ports.changes.read(consumer, 7, patience / 10).await?;
        let Some(end) = batch.last().map(|change| change.place.clone()) else { continue };
        for change in batch {
            let Place { shard, sequence } = &change.place;
            ensure!(*shard == end.shard, "changes of {shard} and {} came at once", end.shard);
            if let Some(last) = last.insert(shard.clone(), *sequence) {
                ensure!(*sequence > last, "change {sequence} after {last}");
            }
            if change.key.partition == partition {
                seen.push(change);
            }
        }
        ports.changes.checkpoint(consumer, &end).await?;
    }
    Ok(seen)
}

async fn complete(subject: &mut dyn Subject) -> Outcome {
    let ports = subject.ports();
    let partition = partition(&ports);
    let keys = ["a", "b", "c"].map(|sort| Key::new(&partition, sort));
    for number in 0..10 {
        for key in &keys {
            let write = Write::put(key.clone(), numbered(number), Condition::Always);
            ports.records.write(write).await?;
        }
        let writes = keys[..2]
            .iter()
            .map(|key| Write::put(key.clone(), numbered(100 + number), Condition::Exists));
        ports.records.transact(writes.collect()).await?;
    }
    let seen = read_all(&ports, &partition, &partition, 50, subject.patience()).await?;
    for (key, expected) in keys.iter().zip([20, 20, 10]) {
        let of_key: Vec<_> = seen.iter().filter(|change| change.key == *key).collect();
        ensure!(
            of_key.len() == expected,
            "{} changes of {}, not {expected}",
            of_key.len(),
            key.sort
        );
        let ordered = of_key.windows(2).all(|pair| pair[0].new == pair[1].old);
        ensure!(ordered, "the changes of {} are out of order", key.sort);
    }
    let more = ports.changes.read(&partition, 100, Duration::ZERO).await?;
    let more = more.iter().filter(|change| change.key.partition == partition).count();
    ensure!(more == 0, "{more} changes came again after their checkpoint");
    Ok(())
}

async fn again(subject: &mut dyn Subject) -> Outcome {
    let ports = subject.ports();
    let partition = partition(&ports);
    let mut token = ports::Token::default();
    for number in 0..10 {
        let key = Key::new(&partition, number.to_string());
        token = ports.records.write(Write::put(key, numbered(number), Condition::Always)).await?;
    }
    ports.records.durable(token).await?;
    let patience = subject.patience();
    let read = async |ports: &Ports| {
        let changes = ports.changes.read(&partition, 1000, patience).await?;
        let own = changes.into_iter().filter(|change| change.key.partition == partition);
        Ok::<Vec<Change>, Failure>(own.collect())
    };
    let first = read(&ports).await?;
    ensure!(first.len() == 10, "{} of 10 changes at first", first.len());
    let second = read(&ports).await?;
    ensure!(first == second, "without a checkpoint the same comes again, not {second:?}");
    ports.changes.checkpoint(&partition, &first[4].place).await?;
    let rest = read(&ports).await?;
    ensure!(rest == first[5..], "behind the checkpoint came {rest:?}");
    drop(ports);
    subject.crash().await;
    // The checkpoint itself may be forgotten in a crash; what it did not cover may not.
    let after = read(&subject.ports()).await?;
    ensure!(after.ends_with(&first[5..]), "after a crash came {after:?}");
    Ok(())
}

async fn images(subject: &mut dyn Subject) -> Outcome {
    let ports = subject.ports();
    let key = key(&ports);
    let first = item(json!({"a": 1, "b": {"c": "ä\n"}}));
    ports.records.write(Write::put(key.clone(), first.clone(), Condition::Absent)).await?;
    ports.records.write(Write::update(key.clone(), numbered(2), Condition::Exists)).await?;
    ports.records.write(Write::delete(key.clone(), Condition::Exists)).await?;
    let second = item(json!({"a": 1, "b": {"c": "ä\n"}, "number": 2, "version": 1}));
    let seen = read_all(&ports, &key.partition, &key.partition, 3, subject.patience()).await?;
    let images: Vec<_> = seen.into_iter().map(|change| (change.old, change.new)).collect();
    let expected =
        [(None, Some(first.clone())), (Some(first), Some(second.clone())), (Some(second), None)];
    ensure!(images == expected, "the images are {images:?}");
    Ok(())
}

async fn apart(subject: &mut dyn Subject) -> Outcome {
    let ports = subject.ports();
    let partition = partition(&ports);
    let (quick, slow) = (format!("{partition}-quick"), format!("{partition}-slow"));
    for round in 0..2 {
        for number in 0..10 {
            let key = Key::new(&partition, format!("{round}-{number}"));
            ports.records.write(Write::put(key, numbered(number), Condition::Always)).await?;
        }
        read_all(&ports, &quick, &partition, 10, subject.patience()).await?;
    }
    read_all(&ports, &slow, &partition, 20, subject.patience()).await?;
    Ok(())
}

async fn watch(subject: &mut dyn Subject) -> Outcome {
    let (ports, patience) = (subject.ports(), subject.patience());
    let key = key(&ports);
    let usual = Duration::from_millis(10);
    let put = |number| Write::put(key.clone(), numbered(number), Condition::Always);
    ports.records.write(put(0)).await?;
    let mut watch = ports.changes.watch(&key);
    let early = watch.changed(usual, usual).await?;
    ensure!(early.is_none(), "a change from before the watch: {early:?}");
    // Between the watch and the wait.
    ports.records.write(put(1)).await?;
    ports.records.write(put(2)).await?;
    let newest = watch.changed(patience, usual).await?;
    let Some((token, seen)) = newest else { return Err(Failure("a change was missed".into())) };
    ensure!(seen == numbered(2), "the newest state is 2, not {seen:?}");
    timeout(patience, ports.records.durable(token)).await??;
    // During the wait.
    let writer = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        ports.records.write(Write::delete(key.clone(), Condition::Exists)).await
    };
    let (seen, written) = tokio::join!(watch.changed(patience, usual), writer);
    written?;
    let seen = seen?.map(|(_, item)| item);
    ensure!(seen == Some(Item::default()), "a deleted item came as {seen:?}");
    Ok(())
}
