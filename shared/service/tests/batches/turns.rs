//! Batches take turns.

use serde_json::json;

use crate::support::{Platform, batches::inputs, with_slots};

#[tokio::test]
async fn a_batch_of_another_project_does_not_wait_for_a_large_one() {
    let platform = Platform::start().await;
    let model = platform.model_of_width(1).await;
    let large = json!({ "model_id": model, "inputs": inputs(2_000), "project_id": "large" });
    let large = platform.batch_of(large).await.unwrap();
    let small = json!({ "model_id": model, "inputs": inputs(40), "project_id": "small" });
    let small = platform.batch_of(small).await.unwrap();
    platform.look_after().await;
    let mut device = platform.device_with(&platform.key, with_slots("only", 1)).await;
    platform.fold().await;
    device.beats(1, Vec::new()).await;
    let mut pieces = 0;
    while platform.shown(&small).await.status != "completed" {
        let tasks = device.tasks();
        assert!(!tasks.is_empty() || platform.look_after().await > 0, "nothing goes on");
        for task in tasks {
            device.answers(&task).await;
            pieces += 1;
        }
        platform.look_after().await;
    }
    assert!(pieces <= 6, "{pieces} pieces came before the end of the small one");
    assert_eq!(platform.shown(&large).await.status, "running");
    device.works().await;
    assert_eq!(platform.shown(&large).await.progress.completed, 2_000);
}

#[tokio::test]
async fn a_call_that_waits_has_the_slots_of_a_device_that_is_full_of_pieces() {
    let platform = Platform::start().await;
    let model = platform.model_of_width(1).await;
    let mut device = platform.device_with(&platform.key, with_slots("full", 1)).await;
    platform.batch(&model, &inputs(2_000)).await;
    platform.look_after().await;
    let pieces = device.tasks();
    assert_eq!(pieces.len(), 2, "one runs, the next is on its way");
    assert!(pieces.iter().all(|task| task.stacked.is_some()));
    platform.submit(&model).await;
    let single = device.next_task().await;
    assert_eq!(single.stacked, None);
}
