//! Blobs: B1 to B9.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use ports::{Checksum, Error, Method, Part, Stored};

use crate::{
    Subject,
    support::{Failure, Outcome, checks, ensure, partition},
};

checks! {
    "B1" "an object is seen wholly or not at all" whole;
    "B2" "what was put survives a crash" survives;
    "B3" "a read sees every write before it" reads_its_writes;
    "B4" "bytes with another checksum are refused" checksums;
    "B5" "an upload needs all its parts, and can be given up" uploads;
    "B6" "a presigned URL is for one method, one key and some time" presigned;
    "B7" "deleting what is not there is fine" gone;
    "B8" "keys do not reach each other" keys;
    "B9" "what came of an upload is listed" listed;
}

const HOUR: Duration = Duration::from_secs(3600);

fn part(number: u32, bytes: &[u8]) -> Part {
    Part { number, checksum: Checksum::of(bytes) }
}

async fn whole(subject: &mut dyn Subject) -> Outcome {
    const SIZE: usize = 1 << 20;
    let (ports, key) = (subject.ports(), partition(&subject.ports()));
    let writer = {
        let (blobs, key) = (Arc::clone(&ports.blobs), key.clone());
        tokio::spawn(async move {
            for byte in 1..=20 {
                blobs.put(&key, Bytes::from(vec![byte; SIZE])).await?;
            }
            Ok::<_, Error>(())
        })
    };
    while !writer.is_finished() {
        let Some(bytes) = ports.blobs.get(&key, None).await? else { continue };
        let torn = bytes.len() != SIZE || bytes.iter().any(|byte| *byte != bytes[0]);
        ensure!(!torn, "a part of an object was seen, {} bytes", bytes.len());
    }
    Ok(writer.await.map_err(|error| Failure(error.to_string()))??)
}

async fn survives(subject: &mut dyn Subject) -> Outcome {
    let ports = subject.ports();
    let key = partition(&ports);
    let joined = format!("{key}/joined");
    ports.blobs.put(&key, Bytes::from_static(b"put")).await?;
    let upload = ports.blobs.start_upload(&joined).await?;
    let only = part(1, b"joined");
    ports.blobs.put_part(&joined, &upload, only, Bytes::from_static(b"joined")).await?;
    ports.blobs.complete_upload(&joined, &upload, &[only]).await?;
    drop(ports);
    subject.crash().await;
    let ports = subject.ports();
    for (key, expected) in [(&key, "put"), (&joined, "joined")] {
        let seen = ports.blobs.get(key, None).await?;
        ensure!(
            seen.as_deref() == Some(expected.as_bytes()),
            "{expected} is {seen:?} after a crash"
        );
    }
    Ok(())
}

async fn reads_its_writes(subject: &mut dyn Subject) -> Outcome {
    let (ports, key) = (subject.ports(), partition(&subject.ports()));
    let blobs = &ports.blobs;
    ensure!(blobs.get(&key, None).await?.is_none(), "an object is there before it was put");
    ensure!(blobs.head(&key).await?.is_none(), "an object is there before it was put");
    for text in ["first", "second one"] {
        blobs.put(&key, Bytes::from_static(text.as_bytes())).await?;
        let (seen, head) = (blobs.get(&key, None).await?, blobs.head(&key).await?);
        ensure!(seen.as_deref() == Some(text.as_bytes()), "put {text}, got {seen:?}");
        let size = Some(Stored { size: text.len() as u64 });
        ensure!(head == size, "put {text}, its head is {head:?}");
    }
    for (range, expected) in [(0..6, "second"), (7..99, "one"), (3..3, ""), (50..60, "")] {
        let seen = blobs.get(&key, Some(range.clone())).await?;
        ensure!(seen.as_deref() == Some(expected.as_bytes()), "{range:?} is {seen:?}");
    }
    blobs.delete(&key).await?;
    ensure!(blobs.get(&key, None).await?.is_none(), "a deleted object is still there");
    Ok(())
}

async fn checksums(subject: &mut dyn Subject) -> Outcome {
    let (ports, key) = (subject.ports(), partition(&subject.ports()));
    let upload = ports.blobs.start_upload(&key).await?;
    let other = Bytes::from_static(b"other bytes");
    let refused = ports.blobs.put_part(&key, &upload, part(1, b"right"), other.clone()).await;
    ensure!(matches!(refused, Err(Error::Invalid(_))), "a part with other bytes: {refused:?}");
    let put = Method::Put(Some(Checksum::of(b"right")));
    let url = ports.blobs.presign(&key, put, HOUR, &subject.base())?;
    let answer = subject.transfer(&url, put, other.clone()).await;
    ensure!((400..500).contains(&answer.status), "an object with other bytes: {answer:?}");
    ensure!(ports.blobs.head(&key).await?.is_none(), "an object with other bytes was stored");
    let url = ports.blobs.presign_part(&key, &upload, part(2, b"right"), HOUR, &subject.base())?;
    let answer = subject.transfer(&url, put, other).await;
    ensure!((400..500).contains(&answer.status), "a part with other bytes: {answer:?}");
    Ok(())
}

async fn uploads(subject: &mut dyn Subject) -> Outcome {
    let (ports, key) = (subject.ports(), partition(&subject.ports()));
    let blobs = &ports.blobs;
    // All parts but the last have at least 5 MiB, as S3 wants it.
    let first = Bytes::from(vec![1_u8; 5 << 20]);
    let last = Bytes::from_static(b"the end");
    let parts = [part(1, &first), part(2, &last)];
    let upload = blobs.start_upload(&key).await?;
    blobs.put_part(&key, &upload, parts[0], first.clone()).await?;
    let other = part(2, b"another end");
    for (name, parts) in [("missing", parts), ("different", [parts[0], other])] {
        let refused = blobs.complete_upload(&key, &upload, &parts).await;
        ensure!(matches!(refused, Err(Error::Invalid(_))), "a part is {name}: {refused:?}");
    }
    ensure!(blobs.head(&key).await?.is_none(), "an upload that was not complete is an object");
    let url = blobs.presign_part(&key, &upload, parts[1], HOUR, &subject.base())?;
    let put = Method::Put(Some(parts[1].checksum));
    let answer = subject.transfer(&url, put, last.clone()).await;
    ensure!((200..300).contains(&answer.status), "a part by its URL: {answer:?}");
    let stored = blobs.complete_upload(&key, &upload, &parts).await?;
    let joined = [first.clone(), last.clone()].concat();
    ensure!(stored.size == joined.len() as u64, "the parts have {} bytes", stored.size);
    ensure!(blobs.get(&key, None).await? == Some(joined.into()), "the parts are not joined");

    let aborted = format!("{key}/aborted");
    let upload = blobs.start_upload(&aborted).await?;
    let only = part(1, &last);
    blobs.put_part(&aborted, &upload, only, last.clone()).await?;
    blobs.abort_upload(&aborted, &upload).await?;
    let refused = blobs.complete_upload(&aborted, &upload, &[only]).await;
    ensure!(matches!(refused, Err(Error::NotFound(_))), "completed what was aborted: {refused:?}");
    let refused = blobs.put_part(&aborted, &upload, only, last).await;
    ensure!(matches!(refused, Err(Error::NotFound(_))), "a part of what was aborted: {refused:?}");
    ensure!(blobs.head(&aborted).await?.is_none(), "an aborted upload is an object");
    Ok(())
}

async fn listed(subject: &mut dyn Subject) -> Outcome {
    let (ports, key) = (subject.ports(), partition(&subject.ports()));
    let uploads = ports.blobs.unfinished_uploads(&key).await?;
    ensure!(uploads.is_empty(), "uploads before the first: {uploads:?}");
    let upload = ports.blobs.start_upload(&key).await?;
    let other = ports.blobs.start_upload(&format!("{key}/other")).await?;
    // out of order, and one of them sent again with other bytes
    let (first, second) = (Bytes::from_static(b"first"), Bytes::from_static(b"the second"));
    for (number, bytes) in [(3, &second), (1, &second), (1, &first)] {
        ports.blobs.put_part(&key, &upload, part(number, bytes), bytes.clone()).await?;
    }
    let before = ports.blobs.uploaded_parts(&key, &upload).await?;
    drop(ports);
    subject.crash().await;
    let blobs = subject.ports().blobs;
    for parts in [before, blobs.uploaded_parts(&key, &upload).await?] {
        let sizes: Vec<_> = parts.iter().map(|found| (found.part, found.size)).collect();
        ensure!(sizes == [(part(1, &first), 5), (part(3, &second), 10)], "listed: {parts:?}");
    }
    let uploads = blobs.unfinished_uploads(&key).await?;
    ensure!(uploads == [upload.clone()], "the uploads of the key: {uploads:?}");
    let foreign = blobs.uploaded_parts(&key, &other).await;
    ensure!(matches!(foreign, Err(Error::NotFound(_))), "of another key: {foreign:?}");
    blobs.abort_upload(&key, &upload).await?;
    let uploads = blobs.unfinished_uploads(&key).await?;
    ensure!(uploads.is_empty(), "an aborted upload is unfinished: {uploads:?}");
    let aborted = blobs.uploaded_parts(&key, &upload).await;
    ensure!(matches!(aborted, Err(Error::NotFound(_))), "of an aborted upload: {aborted:?}");
    Ok(())
}

async fn presigned(subject: &mut dyn Subject) -> Outcome {
    let (ports, key) = (subject.ports(), partition(&subject.ports()));
    let (blobs, base) = (&ports.blobs, subject.base());
    let secret = format!("{key}/other");
    blobs.put(&secret, Bytes::from_static(b"secret")).await?;
    let (get, put) = (Method::Get, Method::Put(None));
    let none = Bytes::new;
    let url = blobs.presign(&key, put, HOUR, &base)?;
    let answer = subject.transfer(&url, put, Bytes::from_static(b"bytes")).await;
    ensure!((200..300).contains(&answer.status), "a PUT by its URL: {answer:?}");
    let answer = subject.transfer(&url, get, none()).await;
    ensure!(answer.status == 403, "a GET by the URL of a PUT: {answer:?}");
    let url = blobs.presign(&key, get, HOUR, &base)?;
    let answer = subject.transfer(&url, get, none()).await;
    ensure!(answer.status == 200 && answer.body == "bytes", "a GET by its URL: {answer:?}");
    let answer = subject.transfer(&url, put, Bytes::from_static(b"changed")).await;
    ensure!(answer.status == 403, "a PUT by the URL of a GET: {answer:?}");
    let answer = subject.transfer(&url.replace(&key, &secret), get, none()).await;
    ensure!(answer.status == 403, "another key by the same signature: {answer:?}");
    let short = blobs.presign(&key, get, Duration::from_secs(1), &base)?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let answer = subject.transfer(&short, get, none()).await;
    ensure!(answer.status == 403, "an expired URL: {answer:?}");
    ensure!(blobs.get(&key, None).await?.as_deref() == Some(b"bytes"), "the object was changed");
    Ok(())
}

async fn gone(subject: &mut dyn Subject) -> Outcome {
    let (ports, key) = (subject.ports(), partition(&subject.ports()));
    ports.blobs.delete(&key).await?;
    Ok(())
}

async fn keys(subject: &mut dyn Subject) -> Outcome {
    let (ports, key) = (subject.ports(), partition(&subject.ports()));
    let long = "x".repeat(513);
    for bad in ["", "/a", "a/", "a//b", "../x", "a/../b", "a/.", "a b", "a\\b", "ä", "a\0", &long]
    {
        let refused = ports.blobs.put(bad, Bytes::from_static(b"x")).await;
        ensure!(matches!(refused, Err(Error::Invalid(_))), "the key {bad:?}: {refused:?}");
        let refused = ports.blobs.presign(bad, Method::Get, HOUR, &subject.base());
        ensure!(matches!(refused, Err(Error::Invalid(_))), "the key {bad:?}: {refused:?}");
    }
    let fine = ["a", "A", "a/b", "a/B", "a.b", "a_b", ".a", "a..b"];
    for name in fine {
        ports.blobs.put(&format!("{key}/{name}"), Bytes::from(name)).await?;
    }
    for name in fine {
        let seen = ports.blobs.get(&format!("{key}/{name}"), None).await?;
        ensure!(seen.as_deref() == Some(name.as_bytes()), "the key {name:?} holds {seen:?}");
    }
    Ok(())
}
