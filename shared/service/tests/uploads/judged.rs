//! What becomes of a file whose parts came.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use dcmp_service::{Error, models, models::Inspected};
use protocol::rest::uploads::Progress;

use crate::*;

/// Why an inference on the model is refused; none when it is taken.
async fn refusal(platform: &Platform, model: &str) -> Option<String> {
    let body = json!({ "model_id": model, "input": crate::support::rows(1), "async": true });
    platform.infer(body).await.err().map(|error| error.to_string())
}

async fn progress(platform: &Platform, begun: &Begun) -> Progress {
    let (app, customer) = (&platform.app, &platform.customer);
    uploads::progress(app, customer, &reference(begun)).await.unwrap()
}

#[tokio::test]
async fn a_file_that_came_in_parts_becomes_a_model() {
    let platform = Platform::start().await;
    let begun = begin(&platform, json!({})).await.unwrap();
    assert_eq!((begun.version, begun.upload.part_count), (1, 2));
    send(&platform, &begun, &[2]).await;
    let there = progress(&platform, &begun).await;
    assert_eq!((there.missing, there.uploaded[0].number, there.uploaded[0].size), (vec![1], 2, 10));
    let refused = complete(&platform, &begun).await.unwrap_err();
    assert!(matches!(&refused, Error::Conflict(why) if why.contains("missing: 1;")), "{refused}");
    assert_eq!(shown(&platform, &begun).await.status, "uploading");
    assert!(refusal(&platform, &begun.id).await.unwrap().contains("it is uploading"));

    send(&platform, &begun, &[1]).await;
    // again and again changes nothing
    for _ in 0..2 {
        assert_eq!(complete(&platform, &begun).await.unwrap().status, "validating");
    }
    assert!(refusal(&platform, &begun.id).await.unwrap().contains("it is validating"));
    let late = uploads::sign(&platform.app, &platform.customer, &begun.id, &[], "").await;
    assert!(matches!(late, Err(Error::Conflict(_))), "{late:?}");
    validate(&platform, &begun).await.unwrap();
    validate(&platform, &begun).await.unwrap();
    let model = shown(&platform, &begun).await;
    assert_eq!((model.status.as_str(), model.size), ("ready", file().len() as u64));
    assert_eq!(complete(&platform, &begun).await.unwrap(), model);
    assert_eq!(refusal(&platform, &begun.id).await, None);
    // the file alone is left
    assert_eq!((pending(&platform).await, platform.files().len()), (0, 1));
    models::delete(&platform.app, &platform.customer, &begun.id).await.unwrap();
    assert_nothing_stays(&platform).await;
}

#[tokio::test]
async fn a_file_with_another_checksum_is_rejected() {
    let platform = Platform::start().await;
    let announced = Checksum::of(b"another file").to_string();
    let begun = begin(&platform, json!({ "checksum": announced })).await.unwrap();
    send(&platform, &begun, &[1, 2]).await;
    complete(&platform, &begun).await.unwrap();
    validate(&platform, &begun).await.unwrap();
    let model = shown(&platform, &begun).await;
    let reason = model.reason.unwrap();
    assert_eq!(model.status, "rejected");
    assert!(reason.contains(&announced), "{reason}");
    assert!(reason.contains(&Checksum::of(&file()).to_string()), "{reason}");
    assert_eq!((pending(&platform).await, platform.files().len()), (0, 0));
}

#[tokio::test]
async fn a_file_that_is_refused_is_rejected_with_the_reason() {
    let platform = Platform::start().await;
    platform.inspector(|| async { Ok(Inspected::Refused("it is a picture".to_owned())) });
    let begun = begin(&platform, json!({})).await.unwrap();
    send(&platform, &begun, &[1, 2]).await;
    complete(&platform, &begun).await.unwrap();
    validate(&platform, &begun).await.unwrap();
    let model = shown(&platform, &begun).await;
    assert_eq!(model.reason.as_deref(), Some("model: it is a picture"));
    assert_eq!((pending(&platform).await, platform.files().len()), (0, 0));
}

/// A file that ends whoever looks at it must not do so for ever.
#[tokio::test]
async fn a_file_that_cannot_be_looked_at_is_rejected_in_the_end() {
    let platform = Platform::start().await;
    platform.inspector(|| async { Err(ports::Error::Unavailable("out of memory".to_owned())) });
    let begun = begin(&platform, json!({})).await.unwrap();
    send(&platform, &begun, &[1, 2]).await;
    complete(&platform, &begun).await.unwrap();
    for _ in 0..5 {
        assert!(validate(&platform, &begun).await.is_err());
        assert_eq!(shown(&platform, &begun).await.status, "validating");
    }
    validate(&platform, &begun).await.unwrap();
    let reason = shown(&platform, &begun).await.reason.unwrap();
    assert!(reason.contains("failed 5 times"), "{reason}");
    assert_eq!((pending(&platform).await, platform.files().len()), (0, 0));
}

#[tokio::test]
async fn waiting_for_other_files_is_no_failure() {
    let platform = Platform::start().await;
    let asked = Arc::<AtomicU32>::default();
    platform.inspector(move || {
        let busy = asked.fetch_add(1, Relaxed) < 20;
        async move { Ok(if busy { Inspected::Busy } else { accepted() }) }
    });
    let begun = begin(&platform, json!({})).await.unwrap();
    send(&platform, &begun, &[1, 2]).await;
    complete(&platform, &begun).await.unwrap();
    validate(&platform, &begun).await.unwrap();
    assert_eq!(shown(&platform, &begun).await.status, "ready");
}

#[tokio::test]
async fn versions_come_in_parts_too() {
    let platform = Platform::start().await;
    let id = platform.model().await;
    let version = json!({ "name": null, "version_of": id });
    let second = begin(&platform, version.clone()).await.unwrap();
    let third = begin(&platform, version).await.unwrap();
    assert_eq!((second.version, third.version), (2, 3));
    // the later one first
    for begun in [&third, &second] {
        assert_eq!(shown(&platform, &second).await.version, if begun.version == 3 { 1 } else { 3 });
        send(&platform, begun, &[1, 2]).await;
        complete(&platform, begun).await.unwrap();
        validate(&platform, begun).await.unwrap();
    }
    assert_eq!(shown(&platform, &second).await.version, 3);
    assert_eq!(statuses(&platform, &id).await, ["ready", "ready", "ready"]);
}

#[tokio::test]
async fn a_rejected_version_says_why_and_leaves_the_others() {
    let platform = Platform::start().await;
    let id = platform.model().await;
    let version = json!({ "name": null, "version_of": id, "input_shape": [null, 7] });
    let begun = begin(&platform, version).await.unwrap();
    send(&platform, &begun, &[1, 2]).await;
    complete(&platform, &begun).await.unwrap();
    validate(&platform, &begun).await.unwrap();
    assert_eq!(statuses(&platform, &id).await, ["ready", "rejected"]);
    assert_eq!((pending(&platform).await, platform.files().len()), (0, 1));
    let reason = refusal(&platform, &reference(&begun)).await.unwrap();
    assert!(reason.contains("input_shape: says [N, 7]"), "{reason}");
    assert_eq!(shown(&platform, &begun).await.version, 1);
    assert_eq!(refusal(&platform, &id).await, None);
}

#[tokio::test]
async fn limits_are_named_before_anything_is_sent() {
    let platform = Platform::start().await;
    let sums = vec![Checksum::of(b"").to_string(); 3];
    for (more, words) in [
        (json!({ "size": 0 }), "size: the file is empty"),
        (json!({ "size": 3_u64 << 30 }), "size: 3221225472 bytes are over this platform's limit"),
        (json!({ "size": 9_u64 << 30 }), "size: 9663676416 bytes are over the limit of 8589934592"),
        (json!({ "part_size": 10 }), "part_size: expected 5242880 to 67108864"),
        (json!({ "checksum": "md5:1" }), "checksum: expected `sha256:`"),
        (json!({ "parts": sums }), "parts: lists 3 checksums, the file has 2 parts"),
        (json!({ "parts": sums, "part_size": null }), "part_size: missing"),
        (json!({ "parts": ["x", "y"] }), "parts[0]: expected `sha256:`"),
        (json!({ "format": "zip" }), "format: `zip`"),
        (json!({ "name": "" }), "name: a name has 1 to 200"),
        (json!({ "input_shape": [-2] }), "input_shape: -2 is no size"),
        (json!({ "labels": ["a"], "name": null, "version_of": "model_1" }), "labels: belongs"),
    ] {
        let refused = begin(&platform, more).await.unwrap_err().to_string();
        assert!(refused.starts_with(words), "`{refused}` is not `{words}`");
    }
    assert_nothing_stays(&platform).await;
}
