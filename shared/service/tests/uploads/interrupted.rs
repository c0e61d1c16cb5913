//! Somebody dies on the way: the message, the file and the work are looked after by others.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use dcmp_service::{UPLOADS_QUEUE, models::Upload};
use tokio::sync::Notify;

use crate::*;

const SOON: Duration = Duration::from_secs(61);

#[tokio::test]
async fn a_lost_message_is_sent_again() {
    let platform = Platform::start().await;
    let begun = begin(&platform, json!({})).await.unwrap();
    send(&platform, &begun, &[1, 2]).await;
    complete(&platform, &begun).await.unwrap();
    let message = json!({ "model": begun.id, "version": 1 });
    let expected = [(UPLOADS_QUEUE.to_owned(), message, Duration::ZERO)];
    assert_eq!(platform.sent(), expected);
    dcmp_service::uploads::sweep(&platform.app).await.unwrap();
    assert_eq!(platform.sent(), [], "not yet");
    platform.pass(SOON);
    dcmp_service::uploads::sweep(&platform.app).await.unwrap();
    assert_eq!(platform.sent(), expected);
    validate(&platform, &begun).await.unwrap();
    assert_eq!(shown(&platform, &begun).await.status, "ready");
}

/// Whoever looks at a file dies; until that is known nobody else begins.
#[tokio::test]
async fn work_is_taken_over_from_the_dead_alone() {
    let platform = Platform::start().await;
    let looked = Arc::new(AtomicU32::new(0));
    let (count, begun_looking) = (looked.clone(), Arc::new(Notify::new()));
    let looking = begun_looking.clone();
    platform.inspector(move || {
        let first = count.fetch_add(1, Ordering::Relaxed) == 0;
        looking.notify_one();
        async move { if first { std::future::pending().await } else { Ok(accepted()) } }
    });
    let begun = begin(&platform, json!({})).await.unwrap();
    send(&platform, &begun, &[1, 2]).await;
    complete(&platform, &begun).await.unwrap();
    tokio::select! {
        _ = validate(&platform, &begun) => panic!("it looks for ever"),
        () = begun_looking.notified() => {}
    }
    validate(&platform, &begun).await.unwrap();
    assert_eq!(
        looked.load(Ordering::Relaxed),
        1,
        "the message comes again while somebody is at it"
    );
    platform.sent();
    platform.pass(SOON);
    dcmp_service::uploads::sweep(&platform.app).await.unwrap();
    assert_eq!(platform.sent().len(), 1);
    validate(&platform, &begun).await.unwrap();
    assert_eq!(shown(&platform, &begun).await.status, "ready");
    assert_eq!((pending(&platform).await, platform.files().len()), (0, 1));
}

/// An announcement that took effect although its maker was told otherwise.
#[tokio::test]
async fn an_upload_that_may_be_on_record_stays() {
    let platform = Platform::start().await;
    platform.disk.is_uncertain();
    assert!(begin(&platform, json!({})).await.is_err());
    let models = models::list(&platform.app, &platform.customer, None, 10).await.unwrap().models;
    let begun = Begun {
        id: models[0].id.clone(),
        version: 1,
        status: "uploading".to_owned(),
        upload: Plan { part_size: 0, part_count: 0, parts: Vec::new(), expires_at: String::new() },
    };
    send(&platform, &begun, &[1, 2]).await;
    complete(&platform, &begun).await.unwrap();
    validate(&platform, &begun).await.unwrap();
    assert_eq!(shown(&platform, &begun).await.status, "ready");
}

/// That the object store fails for a while says nothing of a file.
#[tokio::test]
async fn a_file_that_cannot_be_got_at_is_tried_again_later() {
    let platform = Platform::start().await;
    let begun = begin(&platform, json!({})).await.unwrap();
    send(&platform, &begun, &[1, 2]).await;
    complete(&platform, &begun).await.unwrap();
    platform.turn_files();
    for pause in [20, 40, 80, 160, 320, 600, 600] {
        assert!(validate(&platform, &begun).await.is_err());
        validate(&platform, &begun).await.expect("nobody tries at once");
        platform.sent();
        platform.pass(Duration::from_secs(pause - 10));
        dcmp_service::uploads::sweep(&platform.app).await.unwrap();
        assert_eq!(platform.sent(), [], "not yet");
        platform.pass(Duration::from_secs(11));
        dcmp_service::uploads::sweep(&platform.app).await.unwrap();
        assert_eq!(platform.sent().len(), 1);
    }
    assert_eq!(shown(&platform, &begun).await.status, "validating");
    platform.turn_files();
    validate(&platform, &begun).await.unwrap();
    assert_eq!(shown(&platform, &begun).await.status, "ready");
    assert_eq!((pending(&platform).await, platform.files().len()), (0, 1));
}

fn small() -> Upload {
    Upload {
        bytes: "bytes".into(),
        file_name: Some("small.onnx".to_owned()),
        format: None,
        given: Default::default(),
        version_of: None,
        about: Default::default(),
    }
}

async fn upload(platform: &Platform) -> Result<Summary> {
    models::upload(&platform.app, &platform.customer, small(), Commit::alone()).await
}

/// A small upload dies between its file and its record.
#[tokio::test]
async fn nothing_stays_of_a_small_upload_that_died() {
    let platform = Platform::start().await;
    let looking = Arc::new(Notify::new());
    let begun = looking.clone();
    platform.inspector(move || {
        begun.notify_one();
        std::future::pending()
    });
    tokio::select! {
        _ = upload(&platform) => panic!("it is looked at for ever"),
        () = looking.notified() => {}
    }
    assert_eq!((pending(&platform).await, platform.files().len()), (1, 1));
    dcmp_service::uploads::sweep(&platform.app).await.unwrap();
    assert_eq!(platform.files().len(), 1, "it may still be at work");
    platform.pass(Duration::from_secs(16 * 60));
    dcmp_service::uploads::sweep(&platform.app).await.unwrap();
    assert_nothing_stays(&platform).await;
}

/// A small upload that slept, on a machine that was suspended, finds its file gone and makes no
/// model without one.
#[tokio::test]
async fn a_file_that_was_removed_becomes_no_model() {
    let platform = Arc::new(Platform::start().await);
    let (looking, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begun, awake) = (looking.clone(), go_on.clone());
    platform.inspector(move || {
        let (begun, awake) = (begun.clone(), awake.clone());
        async move {
            begun.notify_one();
            awake.notified().await;
            Ok(accepted())
        }
    });
    let asleep = platform.clone();
    let slow = tokio::spawn(async move { upload(&asleep).await });
    looking.notified().await;
    platform.pass(Duration::from_secs(16 * 60));
    dcmp_service::uploads::sweep(&platform.app).await.unwrap();
    go_on.notify_one();
    assert!(slow.await.unwrap().is_err());
    assert_nothing_stays(&platform).await;
}
