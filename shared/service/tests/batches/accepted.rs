//! What is accepted as a batch, and what is not.

use dcmp_service::{Error, batch};
use serde_json::json;

use crate::support::{Platform, batches::inputs};

#[tokio::test]
async fn the_same_key_means_the_same_batch() {
    let platform = Platform::start().await;
    let model = platform.model_of_width(1).await;
    let body = |count| json!({ "model_id": model, "inputs": inputs(count) });
    let id = platform.batch_once(body(3), Some("once")).await.unwrap();
    assert_eq!(platform.batch_once(body(3), Some("once")).await.unwrap(), id);
    let other = platform.batch_once(body(4), Some("once")).await;
    assert!(matches!(other, Err(Error::IdempotencyMismatch)));
    assert_ne!(platform.batch_once(body(3), Some("twice")).await.unwrap(), id);
    let list = batch::list(&platform.app, &platform.customer, None, 10).await.unwrap();
    assert_eq!(list.jobs.len(), 2);
}

#[tokio::test]
async fn wrong_requests_change_nothing() {
    let platform = Platform::start().await;
    let model = platform.model_of_width(1).await;
    let wrong = [
        (json!({ "inputs": [] }), "at least one"),
        (json!({ "inputs": 3 }), "a list"),
        (json!({}), "either"),
        (json!({ "inputs": inputs(1), "inputs_dataset_id": "dataset_1" }), "either"),
        (json!({ "inputs": inputs(10_001) }), "inputs_dataset_id"),
        (json!({ "inputs": inputs(1), "options": { "deadline_ms": 0 } }), "milliseconds"),
        (json!({ "inputs": inputs(1), "options": { "instance_type": "x" } }), "`aws`"),
        (json!({ "inputs": inputs(1), "placement": "x" }), "`shared`"),
        (json!({ "inputs": inputs(1), "name": "" }), "characters"),
    ];
    for (mut body, word) in wrong {
        body["model_id"] = json!(model);
        let refused = platform.batch_of(body).await.unwrap_err().to_string();
        assert!(refused.contains(word), "`{refused}` does not say `{word}`");
    }
    assert!(platform.rows("OPENBATCHES").await.is_empty());
    assert_eq!(platform.files().len(), 1, "the model's");
}

#[tokio::test]
async fn cursors_that_nobody_gave_out_are_refused() {
    let platform = Platform::start().await;
    let model = platform.model_of_width(1).await;
    let id = platform.batch(&model, &inputs(3)).await;
    let page = |cursor: &'static str| {
        batch::page(&platform.app, &platform.customer, &id, Some(cursor), 10, 1 << 20)
    };
    for cursor in ["", "x", "1", "1.", "-1.0", "1.0.0", "99999999999.0"] {
        assert!(matches!(page(cursor).await, Err(Error::Invalid(_))), "{cursor}");
    }
    // beyond the end there is nothing
    for cursor in ["7.0", "0.4294967295", "4294967295.4294967295"] {
        assert!(page(cursor).await.unwrap().results.is_empty(), "{cursor}");
    }
}
