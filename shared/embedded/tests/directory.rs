//! The data directory: one process at a time, one format, and everything there again.
#![allow(clippy::unwrap_used, reason = "tests")]

use dcmp_embedded::{Durability, Embedded, Options};
use ports::{Checksum, Condition, Item, Key, Part, Write};

fn open(directory: &std::path::Path) -> Result<Embedded, dcmp_embedded::OpenError> {
    Embedded::open(directory, Options::default())
}

#[tokio::test]
async fn a_second_process_is_told_who_has_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let refused = open(directory.path()).err().unwrap().to_string();
    let path = directory.path().display().to_string();
    assert!(refused.contains(&path) && refused.contains("--data"), "{refused}");
    assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
    store.close().await.unwrap();
    open(directory.path()).unwrap();
}

#[test]
fn a_future_format_is_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    std::fs::write(directory.path().join("format"), "99\n").unwrap();
    let refused = open(directory.path()).err().unwrap().to_string();
    assert!(refused.contains("format 99") && refused.contains("newer dcmp"), "{refused}");
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error_with_its_name() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let refused = open(&file.path().join("data")).err().unwrap().to_string();
    assert!(refused.contains(&file.path().display().to_string()), "{refused}");
}

#[cfg(unix)]
#[test]
fn the_secret_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    let secret = directory.path().join("secret");
    assert_eq!(std::fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    let first = std::fs::read(&secret).unwrap();
    drop(open(directory.path()).unwrap());
    assert_eq!(std::fs::read(&secret).unwrap(), first, "URLs stay good over a restart");
}

#[tokio::test]
async fn closing_keeps_what_nobody_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let key = Key::new("p", "s");
    let ports = store.ports();
    let write = Write::put(key.clone(), Item::default(), Condition::Always);
    let token = ports.records.write(write.clone()).await.unwrap();
    store.close().await.unwrap();
    let refused = ports.records.write(write).await;
    assert!(refused.is_err(), "a closed store takes nothing");
    ports.records.durable(token).await.unwrap_err();
    drop(ports);
    let store = open(directory.path()).unwrap();
    assert!(store.ports().records.get(&key).await.unwrap().is_some());
}

#[test]
fn durabilities_are_words() {
    for durability in [Durability::Power, Durability::Process] {
        assert_eq!(durability.to_string().parse::<Durability>().unwrap(), durability);
    }
    let refused = "disk".parse::<Durability>().unwrap_err().to_string();
    assert!(refused.contains("power") && refused.contains("process"), "{refused}");
}

#[tokio::test]
async fn a_file_among_the_uploads_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let blobs = store.ports().blobs;
    let upload = blobs.start_upload("model").await.unwrap();
    std::fs::write(directory.path().join("uploads").join(".DS_Store"), "stray").unwrap();
    assert_eq!(blobs.unfinished_uploads("model").await.unwrap(), [upload]);
}

/// The same part with different bytes, at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn of_parts_that_come_at_once_one_stays() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let blobs = store.ports().blobs;
    let upload = blobs.start_upload("model").await.unwrap();
    for round in 0..200 {
        let sent = ["one", "two", "three", "four"].map(|text| {
            let (blobs, upload) = (blobs.clone(), upload.clone());
            let bytes = bytes::Bytes::from(format!("{text} {round}"));
            let part = Part { number: 1, checksum: Checksum::of(&bytes) };
            tokio::spawn(async move { blobs.put_part("model", &upload, part, bytes).await })
        });
        for sent in sent {
            sent.await.unwrap().unwrap();
        }
        assert_eq!(blobs.uploaded_parts("model", &upload).await.unwrap().len(), 1);
    }
}
