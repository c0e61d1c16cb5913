//! What becomes of a file whose parts came.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use dcmp_service::{Error, models, models::Inspected};
use protocol::rest::uploads::Progress;
use tokio::sync::Notify;

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

/// The parts are joined by somebody else between the reading of the upload and of its parts.
#[tokio::test]
async fn what_is_asked_while_parts_are_joined_is_answered() {
    let platform = Arc::new(Platform::start().await);
    let looking = Arc::new(Notify::new());
    let inspected = looking.clone();
    platform.inspector(move || {
        inspected.notify_one();
        std::future::pending()
    });
    let joined_meanwhile = async || {
        let begun = begin(&platform, json!({})).await.unwrap();
        send(&platform, &begun, &[1, 2]).await;
        let (other, that, looking) = (platform.clone(), begun.clone(), looking.clone());
        platform.disk.after_reading("U#", async move {
            complete(&other, &that).await.unwrap();
            tokio::select! {
                _ = validate(&other, &that) => panic!("it looks for ever"),
                () = looking.notified() => {}
            }
        });
        begun
    };
    let begun = joined_meanwhile().await;
    assert_eq!(complete(&platform, &begun).await.unwrap().status, "validating");
    let begun = joined_meanwhile().await;
    assert_eq!(progress(&platform, &begun).await.status, "validating");
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
        let busy = asked.fetch_add(1, Relaxed) < 2;
        async move { Ok(if busy { Inspected::Unread } else { accepted() }) }
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
    for (begun, output) in [(&third, "late"), (&second, "output")] {
        platform.names_output(output);
        assert_eq!(shown(&platform, &second).await.version, if begun.version == 3 { 1 } else { 3 });
        send(&platform, begun, &[1, 2]).await;
        complete(&platform, begun).await.unwrap();
        validate(&platform, begun).await.unwrap();
    }
    assert_eq!(shown(&platform, &second).await.version, 3);
    assert_eq!(statuses(&platform, &id).await, ["ready", "ready", "ready"]);
    // each is compared with one before it
    let (app, customer) = (&platform.app, &platform.customer);
    let page = models::versions(app, customer, &id, None, 10).await.unwrap();
    let warnings: Vec<_> = page.versions.iter().map(|one| one.warnings.len()).collect();
    assert_eq!(warnings, [2, 0, 0], "{:?}", page.versions);
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

/// What becomes the first ready version is compared with the adapters, whatever its number and way.
#[tokio::test]
async fn adapters_fit_the_first_ready_version() {
    let platform = Platform::start().await;
    let begun = begin(&platform, json!({ "preprocessing": "tabular" })).await.unwrap();
    platform.no_adapter_fits();
    let refused = platform.upload(models::About::default(), Some(&begun.id)).await.unwrap_err();
    assert_eq!(refused.to_string(), "preprocessing: does not fit");
    change(&platform, &begun.id, json!({ "preprocessing": null })).await;
    platform.upload(models::About::default(), Some(&begun.id)).await.unwrap();
    assert_eq!(statuses(&platform, &begun.id).await, ["uploading", "ready"]);
}

/// A model that changes while its first file is looked at.
#[tokio::test]
async fn adapters_that_change_meanwhile_are_compared_again() {
    for (before, after, status) in
        [(json!("tabular"), json!(null), "ready"), (json!(null), json!("tabular"), "rejected")]
    {
        let platform = Arc::new(Platform::start().await);
        platform.no_adapter_fits();
        let begun = begin(&platform, json!({ "preprocessing": before })).await.unwrap();
        send(&platform, &begun, &[1, 2]).await;
        complete(&platform, &begun).await.unwrap();
        let (other, id) = (platform.clone(), begun.id.clone());
        // when the first revision is compared
        platform.disk.after_reading("R#", async move {
            change(&other, &id, json!({ "preprocessing": after })).await;
        });
        validate(&platform, &begun).await.unwrap();
        assert_eq!(shown(&platform, &begun).await.status, status);
    }
}

/// The columns of a table come in the order of the schema's text, which a map forgets.
#[tokio::test]
async fn a_schema_keeps_the_order_of_its_properties() {
    let platform = Platform::start().await;
    let schema = r#"{"properties": {"b": {}, "c": {}, "a": {}}}"#;
    let checksum = Checksum::of(&file());
    let body = format!(r#"{{"size": 10, "checksum": "{checksum}", "input_schema": {schema}}}"#);
    let body = serde_json::from_str(&body).unwrap();
    let new = New::read(&platform.app, &platform.customer, None, body).await.unwrap();
    let begun = uploads::begin(&platform.app, &platform.customer, new, Commit::alone()).await;
    let description = models::description(&platform.app, &begun.unwrap().id, 1).await.unwrap();
    assert_eq!(description.features, ["b", "c", "a"]);
    assert_eq!(description.input_schema.as_ref().map(|schema| schema.len()), Some(1));
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
        (json!({ "format": "torchscript" }), "input_shape: TorchScript files do not say"),
        (json!({ "name": "" }), "name: a name has 1 to 200"),
        (json!({ "input_shape": vec![1; 65] }), "input_shape: has 65 sizes, and 64 are allowed"),
        (json!({ "input_shape": [-2] }), "input_shape: -2 is no size"),
        (json!({ "labels": ["a"], "name": null, "version_of": "model_1" }), "labels: belongs"),
    ] {
        let refused = begin(&platform, more).await.unwrap_err().to_string();
        assert!(refused.starts_with(words), "`{refused}` is not `{words}`");
    }
    assert_nothing_stays(&platform).await;
}
