//! A file that comes after its version: announced, complete, judged.

use dcmp_service::{
    idempotency::Commit,
    models::{self, About, Candidate, File, Given, Target},
};
use domain::model::{Format, Status};
use protocol::rest::models::Summary;
use serde_json::json;

use crate::{refusal, support::Platform};

/// Announces a version; also where its file belongs.
async fn announce(platform: &Platform, of: Option<&str>, given: Given) -> (Summary, String) {
    let (app, customer) = (&platform.app, &platform.customer);
    let (of, about) = (of.map(str::to_owned), About::default());
    let target = Target::read(app, customer, of, about, Some("large.onnx")).await.unwrap();
    let blob = target.blob(app);
    let file = File {
        blob: blob.clone(),
        checksum: crate::support::checksum(1),
        size: 5,
        format: Format::Onnx,
    };
    let candidate = Candidate { customer: customer.clone(), target, file, given };
    let announced = models::announce(app, candidate, Vec::new(), Commit::alone(), |shown| shown);
    (announced.await.unwrap(), blob)
}

async fn status(platform: &Platform, id: &str, number: u32) -> (String, Option<String>) {
    let look = models::look(&platform.app, &platform.customer, id, Some(number)).await;
    let (shown, _) = look.unwrap();
    (shown.status, shown.reason)
}

#[tokio::test]
async fn a_version_runs_once_its_file_is_there_and_was_looked_at() {
    let platform = Platform::start().await;
    let app = &platform.app;
    let (shown, blob) = announce(&platform, None, Given::default()).await;
    assert_eq!((shown.name.as_str(), shown.status.as_str()), ("large", "uploading"));
    let id = shown.id;
    let submit = async || {
        platform.infer(json!({
            "model_id": id, "input": crate::support::rows(1), "async": true
        }))
    };
    assert!(refusal(submit().await.await.map(drop)).contains("it is uploading"));
    app.ports.blobs.put(&blob, "bytes".into()).await.unwrap();
    // nothing is judged before it is complete
    assert_eq!(models::judge(app, &id, 1).await.unwrap(), Status::Uploading);
    for _ in 0..2 {
        models::begin_validation(app, &id, 1).await.unwrap();
        assert_eq!(status(&platform, &id, 1).await.0, "validating");
    }
    assert!(refusal(submit().await.await.map(drop)).contains("it is validating"));
    for _ in 0..2 {
        assert_eq!(models::judge(app, &id, 1).await.unwrap(), Status::Ready);
    }
    submit().await.await.map(drop).unwrap();
    assert!(platform.has_file(&blob).await);
}

#[tokio::test]
async fn a_rejected_version_says_why_and_leaves_the_others() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let given = Given { input_shape: Some(vec![None, Some(7)]), output_shape: None };
    let (shown, blob) = announce(&platform, Some(&model), given).await;
    assert_eq!(shown.version, 2);
    platform.app.ports.blobs.put(&blob, "bytes".into()).await.unwrap();
    models::begin_validation(&platform.app, &model, 2).await.unwrap();
    assert_eq!(models::judge(&platform.app, &model, 2).await.unwrap(), Status::Rejected);
    let (status, reason) = status(&platform, &model, 2).await;
    assert_eq!(status, "rejected");
    let reason = reason.unwrap();
    assert!(reason.contains("input_shape: says [N, 7]"), "{reason}");
    assert!(!platform.has_file(&blob).await);
    let infer = async |model: String| {
        let body = json!({ "model_id": model, "input": crate::support::rows(1), "async": true });
        platform.infer(body).await.map(drop)
    };
    assert!(refusal(infer(format!("{model}@2")).await).contains(&reason));
    infer(model.clone()).await.unwrap();
    let (shown, _) = models::look(&platform.app, &platform.customer, &model, None).await.unwrap();
    assert_eq!(shown.version, 1);
    // its number is not used again
    let third = platform.upload(About::default(), Some(&model)).await.unwrap();
    assert_eq!(third.version, 3);
}

#[tokio::test]
async fn a_version_that_is_ready_late_is_not_the_newest() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let (slow, blob) = announce(&platform, Some(&model), Given::default()).await;
    let quick = platform.upload(About::default(), Some(&model)).await.unwrap();
    assert_eq!((slow.version, quick.version), (2, 3));
    platform.app.ports.blobs.put(&blob, "bytes".into()).await.unwrap();
    models::begin_validation(&platform.app, &model, 2).await.unwrap();
    models::judge(&platform.app, &model, 2).await.unwrap();
    assert_eq!(status(&platform, &model, 2).await.0, "ready");
    let (shown, _) = models::look(&platform.app, &platform.customer, &model, None).await.unwrap();
    assert_eq!(shown.version, 3);
}
