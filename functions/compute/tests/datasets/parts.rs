//! Files that come in parts: what comes of them whatever happens on the way.

use std::{fmt::Write, sync::Arc, time::Duration};

use bytes::Bytes;
use ports::{Checksum, Part};
use protocol::rest::datasets::{Begun, NewDataset};
use service::{
    Error, Result, UPLOADS_QUEUE,
    datasets::{self, uploads},
    idempotency::Commit,
    models,
};

use crate::world::{CUSTOMER, World};

/// The fewest bytes of a part.
const PART: usize = 5 << 20;

/// A table of two parts.
fn table() -> Bytes {
    let mut file = String::from("a,b,label\n");
    for row in 0..400_000 {
        writeln!(file, "{row},{}.25,{}", row % 1000, row % 3).unwrap();
    }
    assert!((PART..2 * PART).contains(&file.len()));
    file.into()
}

async fn begin(world: &World, file: &Bytes, name: &str) -> Result<Begun> {
    let body = NewDataset {
        size: file.len() as u64,
        checksum: Checksum::of(file).to_string(),
        file_name: Some(name.to_owned()),
        part_size: Some(PART as u64),
        ..NewDataset::default()
    };
    let new = uploads::New::read(&world.app, CUSTOMER, body)?;
    uploads::begin(&world.app, new, Commit::alone()).await
}

/// Stores parts as their URLs would.
async fn send(world: &World, id: &str, file: &Bytes, numbers: &[usize]) {
    let key = format!("datasets/{id}/file");
    let upload = world.app.ports.blobs.unfinished_uploads(&key).await.unwrap().remove(0);
    for number in numbers {
        let start = (number - 1) * PART;
        let bytes = file.slice(start..file.len().min(start + PART));
        let part = Part { number: *number as u32, checksum: Checksum::of(&bytes) };
        world.app.ports.blobs.put_part(&key, &upload, part, bytes).await.unwrap();
    }
}

/// What the queue brings is looked at.
async fn look(world: &World, id: &str) {
    let queues = &world.app.ports.queues;
    let messages =
        queues.receive(UPLOADS_QUEUE, 10, Duration::from_secs(60), Duration::ZERO).await.unwrap();
    let [message] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!(message.body["dataset"], id);
    uploads::validate(&world.app, id).await.unwrap();
    queues.delete(UPLOADS_QUEUE, &message.receipt).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_parts_is_read_once_it_is_complete() {
    let world = World::new();
    let file = table();
    let begun = begin(&world, &file, "rows.csv").await.unwrap();
    let id = &begun.id;
    assert_eq!((begun.status.as_str(), begun.upload.part_count), ("uploading", 2));
    send(&world, id, &file, &[2]).await;
    let progress = uploads::progress(&world.app, CUSTOMER, id).await.unwrap();
    assert_eq!((progress.missing, progress.uploaded.len()), (vec![1], 1));
    let early = datasets::find(&world.app, CUSTOMER, id).await.unwrap_err();
    assert!(early.to_string().contains("uploading: its file is not complete"), "{early}");
    let early = uploads::complete(&world.app, CUSTOMER, id).await.unwrap_err();
    assert!(matches!(&early, Error::Conflict(why) if why.contains("missing: 1;")), "{early}");
    send(&world, id, &file, &[1]).await;
    for _ in 0..2 {
        let completed = uploads::complete(&world.app, CUSTOMER, id).await.unwrap();
        assert_eq!(completed.status, "validating");
    }
    let early = datasets::find(&world.app, CUSTOMER, id).await.unwrap_err();
    assert!(matches!(&early, Error::Conflict(why) if why.contains("being looked at")), "{early}");
    look(&world, id).await;
    let shown = datasets::show(&world.app, CUSTOMER, id).await.unwrap();
    assert_eq!((shown.summary.status.as_str(), shown.summary.rows), ("ready", Some(400_000)));
    assert_eq!(shown.labels.unwrap().len(), 3);
    let dataset = datasets::find(&world.app, CUSTOMER, id).await.unwrap();
    let last = world.values(&dataset, 399_999, 10, 1 << 20).await;
    assert_eq!(last, [r#"{"a":399999,"b":999.25}"#]);
    // said twice, it changes nothing
    uploads::validate(&world.app, id).await.unwrap();
    let gone = uploads::progress(&world.app, CUSTOMER, id).await.unwrap_err();
    assert!(gone.to_string().contains("nothing is being uploaded"), "{gone}");
    // the rows and what they are; nothing is under way
    assert_eq!(world.files().len(), 2, "{:?}", world.files());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_refused_is_rejected_and_says_where() {
    let world = World::new();
    let file: Bytes = [&table()[..], b"1,2,3,4\n"].concat().into();
    let begun = begin(&world, &file, "rows.csv").await.unwrap();
    send(&world, &begun.id, &file, &[1, 2]).await;
    uploads::complete(&world.app, CUSTOMER, &begun.id).await.unwrap();
    look(&world, &begun.id).await;
    let shown = datasets::show(&world.app, CUSTOMER, &begun.id).await.unwrap();
    assert_eq!((shown.summary.status.as_str(), shown.schema), ("rejected", None));
    let why = shown.summary.error.unwrap();
    assert!(why.contains("line 400002 has 4 fields, the header has 3"), "{why}");
    let used = datasets::find(&world.app, CUSTOMER, &begun.id).await.unwrap_err();
    assert!(used.to_string().contains("line 400002"), "{used}");
    assert_eq!(world.files(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_another_than_announced_is_rejected() {
    let world = World::new();
    let (file, other) = (table(), Bytes::from(vec![b'x'; table().len()]));
    let begun = begin(&world, &file, "rows.csv").await.unwrap();
    send(&world, &begun.id, &other, &[1, 2]).await;
    uploads::complete(&world.app, CUSTOMER, &begun.id).await.unwrap();
    look(&world, &begun.id).await;
    let shown = datasets::show(&world.app, CUSTOMER, &begun.id).await.unwrap();
    let why = shown.summary.error.unwrap();
    assert!(why.contains(&Checksum::of(&other).to_string()) && why.contains("upload it again"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_on_the_way_leaves_nothing() {
    let world = World::new();
    let file = table();
    let begun = begin(&world, &file, "rows.csv").await.unwrap();
    send(&world, &begun.id, &file, &[1]).await;
    datasets::delete(&world.app, CUSTOMER, &begun.id).await.unwrap();
    assert_eq!(world.files(), Vec::<std::path::PathBuf>::new());
    // a message that comes late finds nothing
    uploads::validate(&world.app, &begun.id).await.unwrap();
    let gone = uploads::complete(&world.app, CUSTOMER, &begun.id).await;
    assert!(matches!(gone, Err(Error::NotFound(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timer_ends_what_nobody_goes_on_with() {
    let world = World::with(models::uploads::Limits { idle_ms: 0, ..Default::default() });
    let file = table();
    let begun = begin(&world, &file, "rows.csv").await.unwrap();
    send(&world, &begun.id, &file, &[1]).await;
    service::uploads::sweep(&world.app).await.unwrap();
    let gone = datasets::show(&world.app, CUSTOMER, &begun.id).await;
    assert!(matches!(gone, Err(Error::NotFound(_))));
    assert_eq!(datasets::list(&world.app, CUSTOMER, None, 10).await.unwrap().total, 0);
    assert_eq!(world.files(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn announcements_that_cannot_become_datasets_are_refused() {
    let world = World::new();
    let body = || NewDataset {
        size: 10,
        checksum: Checksum::of(b"").to_string(),
        format: Some("csv".to_owned()),
        ..NewDataset::default()
    };
    for (body, words) in [
        (NewDataset { size: (1 << 30) + 1, ..body() }, "size: 1073741825 bytes are over the limit"),
        (NewDataset { size: 0, ..body() }, "size: the file is empty"),
        (NewDataset { format: Some("xlsx".to_owned()), ..body() }, "format: `xlsx` is no format"),
        (NewDataset { format: None, ..body() }, "format: missing"),
        (NewDataset { ttl_days: Some(366), ..body() }, "ttl_days: expected 1 to 365"),
        (NewDataset { checksum: "md5".to_owned(), ..body() }, "checksum: expected `sha256:`"),
        (NewDataset { name: Some("\n".to_owned()), ..body() }, "name: a name has"),
    ] {
        let Err(refused) = uploads::New::read(&world.app, CUSTOMER, body) else {
            panic!("not refused: {words}")
        };
        assert!(refused.to_string().starts_with(words), "{refused}");
    }
}

/// Several who are told of one file, at once and later: one reads it.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_read_by_one_at_a_time() {
    let world = Arc::new(World::new());
    let file = table();
    let begun = begin(&world, &file, "rows.csv").await.unwrap();
    send(&world, &begun.id, &file, &[1, 2]).await;
    uploads::complete(&world.app, CUSTOMER, &begun.id).await.unwrap();
    let looks = (0..4).map(|_| {
        let (world, id) = (world.clone(), begun.id.clone());
        tokio::spawn(async move { uploads::validate(&world.app, &id).await })
    });
    for look in looks.collect::<Vec<_>>() {
        look.await.unwrap().unwrap();
    }
    let shown = datasets::show(&world.app, CUSTOMER, &begun.id).await.unwrap();
    assert_eq!(shown.summary.status, "ready");
}
