//! Versions that come at once, and what requests and jobs mean by a model.

use dcmp_service::models::{self, About};
use futures::future::join_all;
use protocol::rest::models::Update;

use crate::{refusal, support::Platform};

#[tokio::test]
async fn of_versions_that_come_at_the_same_time_none_is_lost() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let uploads = (0..8).map(|_| platform.upload(About::default(), Some(&model)));
    let renamed = Update { name: Some(Some("busy".to_owned())), ..Update::default() };
    let update = models::update(&platform.app, &platform.customer, &model, &renamed, |_| true);
    let (uploaded, updated) = futures::join!(join_all(uploads), update);
    let mut numbers: Vec<_> =
        uploaded.into_iter().map(|version| version.unwrap().version).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (2..=9).collect::<Vec<_>>());
    updated.unwrap();
    let (shown, _) = models::look(&platform.app, &platform.customer, &model, None).await.unwrap();
    assert_eq!((shown.version, shown.name.as_str()), (9, "busy"));
    let page = models::versions(&platform.app, &platform.customer, &model, None, 3).await.unwrap();
    assert_eq!(page.versions.iter().map(|one| one.version).collect::<Vec<_>>(), [9, 8, 7]);
    assert_eq!(page.total, 9);
    let next = page.next_cursor.as_deref();
    let page = models::versions(&platform.app, &platform.customer, &model, next, 50).await.unwrap();
    assert_eq!(page.versions.iter().map(|one| one.version).collect::<Vec<_>>(), [6, 5, 4, 3, 2, 1]);
    assert_eq!(page.next_cursor, None);
}

#[tokio::test]
async fn a_job_runs_the_version_that_it_pinned() {
    let platform = Platform::start().await;
    let model = platform.model_of_width(1).await;
    let first = platform.accepted(&model, serde_json::json!({})).await;
    platform.gives(3);
    let second = platform.upload(About::default(), Some(&model)).await.unwrap();
    assert_eq!(second.warnings, ["the output `output` was float32 [N, 1] and is float32 [N, 3]"]);
    let named = platform.accepted(&format!("{model}@1"), serde_json::json!({})).await;
    let newest = platform.accepted(&model, serde_json::json!({})).await;
    let mut device = platform.device("desk").await;
    platform.work().await;
    for _ in 0..3 {
        let task = device.task().await;
        let expected = if task.task_id == newest { 2 } else { 1 };
        assert_eq!(task.model.version, expected);
        assert!([&first, &named, &newest].contains(&&task.task_id));
        // the file is that of the version, too
        let (app, id) = (&platform.app, &task.model.id);
        let url = models::download_for_task(app, &device.id, id, &task.task_id, "http://h").await;
        let number = Some(task.model.version);
        let of = models::download(app, &platform.customer, id, number, "http://h").await.unwrap();
        let path = |url: &str| url.split('?').next().unwrap().to_owned();
        assert_eq!(path(&url.unwrap()), path(&of));
    }
}

#[tokio::test]
async fn a_version_is_of_a_model_that_is_there_and_ones_own() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let (stranger, _) = platform.stranger().await;
    assert!(refusal(platform.upload(About::default(), Some("model_1")).await).contains("model_1"));
    let found = models::look(&platform.app, &stranger, &model, Some(1)).await;
    assert!(refusal(found).contains("there is no model"));
    let found = models::look(&platform.app, &platform.customer, &model, Some(0)).await;
    assert!(refusal(found).contains("has no version 0; its newest is 1"));
    let both =
        models::look(&platform.app, &platform.customer, &format!("{model}@1"), Some(2)).await;
    assert!(refusal(both).contains("version: says 2"));
    // what is the model's is not a version's
    let about = About { name: Some("other".to_owned()), ..About::default() };
    let refused = refusal(platform.upload(about, Some(&model)).await);
    assert!(refused.starts_with("name:") && refused.contains("PATCH"), "{refused}");
}

#[tokio::test]
async fn a_signature_that_is_too_large_for_a_head_is_refused() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    platform.names_output(&"y".repeat(70_000));
    let refused = refusal(platform.upload(About::default(), Some(&model)).await);
    assert!(refused.starts_with("model: ") && refused.contains("65536 are allowed"), "{refused}");
    let page = models::versions(&platform.app, &platform.customer, &model, None, 50).await.unwrap();
    assert_eq!(page.total, 1);
}
