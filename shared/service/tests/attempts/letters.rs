//! Messages that fail five times are put aside, shown with their story, and tried again.

use std::time::Duration;

use dcmp_service::{WORK_QUEUE, dead_letters};
use serde_json::json;

use crate::support::Platform;

#[tokio::test]
async fn what_failed_too_often_is_shown_and_tried_again() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let id = platform.accepted(&model, json!({})).await;
    let queues = &platform.app.ports.queues;
    // a consumer that dies each time
    for _ in 0..6 {
        for message in platform.receive().await {
            queues.release(WORK_QUEUE, &message.receipt, Duration::ZERO).await.unwrap();
        }
    }
    let letters = dead_letters::list(&platform.app).await.unwrap().letters;
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!((letter.queue.as_str(), &letter.body["job"]), (WORK_QUEUE, &json!(id)));
    assert_eq!(letter.about.as_deref(), Some(format!("{id} is queued").as_str()));
    assert_eq!(platform.work().await, 0);
    // looking at it leaves it there
    assert_eq!(dead_letters::redrive(&platform.app, Some(WORK_QUEUE)).await.unwrap().moved, 1);
    assert!(dead_letters::list(&platform.app).await.unwrap().letters.is_empty());
    let mut device = platform.device("late").await;
    platform.work().await;
    let task = device.next_task().await;
    device.finishes(&task).await;
    assert_eq!(platform.job(&id).await.state, domain::job::State::Completed);
}
