//! What an owner changes of a model, and what jobs keep of how it was.

use dcmp_service::models::{self, About, Description};
use domain::model::Postprocessing;
use protocol::rest::models::{Model, Update};
use serde_json::{Value, json};

use crate::{refusal, support::Platform};

async fn update(platform: &Platform, id: &str, change: Value) -> dcmp_service::Result<Model> {
    let change: Update = serde_json::from_value(change).unwrap();
    let updated = models::update(&platform.app, &platform.customer, id, &change, |_| true).await?;
    Ok(updated.0)
}

fn labels(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

#[tokio::test]
async fn only_what_is_given_changes_and_null_clears() {
    let platform = Platform::start().await;
    let description = Description {
        labels: labels(&["cat", "dog"]),
        postprocessing: Some(Postprocessing::TopKLabels),
        ..Description::default()
    };
    let about = About { description, ..About::default() };
    let id = platform.upload(about, None).await.unwrap().id;
    let schema = json!({ "type": "object" });
    let model = update(&platform, &id, json!({ "input_schema": schema })).await.unwrap();
    assert_eq!((model.summary.revision, &model.labels), (2, &labels(&["cat", "dog"])));
    let model = update(&platform, &id, json!({ "labels": null, "postprocessing": null })).await;
    let model = model.unwrap();
    assert_eq!((model.summary.revision, model.labels), (3, None));
    assert_eq!((model.summary.postprocessing, model.input_schema), (None, Some(schema)));
    // what is so already is no change, and a name has no revisions
    for change in [json!({ "labels": null }), json!({}), json!({ "name": "other" })] {
        let model = update(&platform, &id, change).await.unwrap();
        assert_eq!(model.summary.revision, 3);
    }
    let model = update(&platform, &id, json!({ "placement": "shared" })).await.unwrap();
    assert_eq!(
        (model.summary.name.as_str(), model.summary.placement.as_str()),
        ("other", "shared")
    );
    let model = update(&platform, &id, json!({ "placement": null })).await.unwrap();
    assert_eq!(model.summary.placement, "own");
}

#[tokio::test]
async fn changes_at_the_same_time_are_all_made() {
    let platform = Platform::start().await;
    let id = platform.model().await;
    let changes = [
        json!({ "labels": ["a"] }),
        json!({ "input_schema": { "type": "object" } }),
        json!({ "output_schema": { "type": "array" } }),
        json!({ "preprocessing": "tabular" }),
    ];
    let changed = changes.map(|change| update(&platform, &id, change));
    let mut revisions: Vec<_> = futures::future::join_all(changed)
        .await
        .into_iter()
        .map(|model| model.unwrap().summary.revision)
        .collect();
    revisions.sort_unstable();
    assert_eq!(revisions, [2, 3, 4, 5]);
    let model = update(&platform, &id, json!({})).await.unwrap();
    assert_eq!(model.labels, labels(&["a"]));
    assert!(model.input_schema.is_some() && model.output_schema.is_some());
    assert_eq!(model.summary.preprocessing.as_deref(), Some("tabular"));
}

#[tokio::test]
async fn every_revision_stays_readable_whatever_its_size() {
    let platform = Platform::start().await;
    let id = platform.model().await;
    let many: Vec<_> = (0..100_000).map(|i| format!("class {i}")).collect();
    let model = update(&platform, &id, json!({ "labels": many })).await.unwrap();
    assert_eq!(model.labels.as_ref(), Some(&many));
    update(&platform, &id, json!({ "labels": ["few"] })).await.unwrap();
    // another process finds them in the store
    let app = platform.another_process();
    let revision = async |number| models::description(&app, &id, number).await.unwrap();
    assert_eq!(revision(1).await.labels, None);
    assert_eq!(revision(2).await.labels.as_ref(), Some(&many));
    assert_eq!(revision(3).await.labels, labels(&["few"]));
    let item = platform.get(&format!("MODEL#{id}"), "HEAD").await.unwrap();
    assert!(item.json().len() < 1_500, "the head holds what the hot path needs, no more");
}

#[tokio::test]
async fn a_job_pins_the_revision_that_it_was_submitted_with() {
    let platform = Platform::start().await;
    let id = platform.model().await;
    let before = platform.accepted(&id, json!({})).await;
    update(&platform, &id, json!({ "labels": ["new"] })).await.unwrap();
    let after = platform.accepted(&id, json!({})).await;
    let pinned = async |job: String| platform.job(&job).await.model.revision;
    assert_eq!((pinned(before).await, pinned(after).await), (1, 2));
}

#[tokio::test]
async fn a_change_on_a_state_that_passed_is_refused() {
    let platform = Platform::start().await;
    let id = platform.model().await;
    let tag = async || models::look(&platform.app, &platform.customer, &id, None).await.unwrap().1;
    let known = tag().await;
    let change: Update = serde_json::from_value(json!({ "name": "mine" })).unwrap();
    let apply = async |known: &str| {
        let allows = |tag: &str| tag == known;
        models::update(&platform.app, &platform.customer, &id, &change, allows).await
    };
    let (_, now) = apply(&known).await.unwrap();
    assert_eq!(now, tag().await);
    assert_ne!(now, known);
    let refused = refusal(apply(&known).await);
    assert!(refused.contains(&now), "{refused}");
    // a new version is a change too
    platform.upload(About::default(), Some(&id)).await.unwrap();
    assert_ne!(tag().await, now);
}

#[tokio::test]
async fn what_a_field_does_not_take_is_refused_by_name() {
    let platform = Platform::start().await;
    let id = platform.model().await;
    let too_many: Vec<_> = (0..100_001).map(|i| i.to_string()).collect();
    for (change, words) in [
        (
            json!({ "preprocessing": "magic" }),
            &["preprocessing:", "image_classification, tabular, text_tokens, passthrough"][..],
        ),
        (
            json!({ "postprocessing": "tabular" }),
            &["postprocessing:", "top_k_labels, binary_classification, regression, passthrough"],
        ),
        (json!({ "input_schema": { "type": 3 } }), &["input_schema:", "/type"]),
        (json!({ "output_schema": { "$ref": "http://a.example/" } }), &["output_schema:", "$defs"]),
        (json!({ "labels": too_many }), &["labels:", "100000 are allowed"]),
        (json!({ "labels": ["x".repeat(5 << 20)] }), &["labels:", "4194304 bytes"]),
        (json!({ "name": null }), &["name:", "leave the field out"]),
        (json!({ "name": " " }), &["name:", "1 to 200 characters"]),
        (json!({ "placement": "moon" }), &["placement:", "`platform`"]),
    ] {
        let refused = refusal(update(&platform, &id, change).await);
        for word in words {
            assert!(refused.contains(word), "`{refused}` does not say `{word}`");
        }
    }
    let (shown, _) = models::look(&platform.app, &platform.customer, &id, None).await.unwrap();
    assert_eq!((shown.revision, shown.name.as_str()), (1, "test"));
}
