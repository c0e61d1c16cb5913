//! What is shown is on disk.

use std::sync::Arc;

use dcmp_service::inference::{self, Submitted};
use ports::Token;
use protocol::socket::{Payload, TaskAck};
use serde_json::json;

use crate::support::{Gate, Platform, done, row, rows};

#[tokio::test]
async fn a_job_that_somebody_else_ended_is_shown_when_its_end_is_on_disk() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let mut device = platform.device("desk").await;
    let body = json!({ "model_id": model, "input": rows(1), "async": true });
    platform.infer_once(body.clone(), Some("key")).await.unwrap();
    platform.work().await;
    let task = device.task().await;
    platform.disk.waited();
    inference::get(&platform.app, &platform.customer, &task.task_id).await.unwrap();
    assert_eq!(platform.disk.waited(), [], "it runs: nothing is promised");
    platform.disk.is_slow(true);
    device.finishes(&task).await;
    platform.disk.waited();
    let get = inference::get(&platform.app, &platform.customer, &task.task_id);
    let cancel = inference::cancel(&platform.app, &platform.customer, &task.task_id);
    let again = platform.infer_once(body, Some("key"));
    let rest = async {
        while platform.disk.waited_for(Token::LATEST) < 3 {
            tokio::task::yield_now().await;
        }
        platform.disk.is_slow(false);
    };
    let (shown, refused, repeated, ()) = futures::join!(get, cancel, again, rest);
    assert_eq!(shown.unwrap().status, "completed");
    assert!(refused.is_err());
    assert!(matches!(repeated, Ok(Submitted::Accepted(_))));
}

#[tokio::test]
async fn a_result_of_another_is_answered_when_it_is_on_disk() {
    let engine = Arc::new(Gate::new(1));
    let platform = Platform::with_engine(&engine).await;
    let model = platform.model().await;
    let body = json!({ "model_id": model, "input": rows(1) });
    let first = platform.infer_once(body.clone(), Some("key"));
    let second = platform.infer_once(body, Some("key"));
    let rest = async {
        while engine.begun() < 2 {
            tokio::task::yield_now().await;
        }
        platform.disk.waited();
        engine.permits.add_permits(2);
    };
    let (first, second, ()) = futures::join!(first, second, rest);
    let jobs = [first, second].map(|submitted| match submitted.unwrap() {
        Submitted::Ended(job) => job.job_id,
        Submitted::Accepted(accepted) => panic!("{accepted:?}"),
    });
    assert_eq!(jobs[0], jobs[1]);
    // one knows of its own write, the other only that there was one
    assert_eq!(platform.disk.waited_for(Token::LATEST), 1);
}

#[tokio::test]
async fn a_device_forgets_its_result_when_it_is_on_disk() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let mut device = platform.device("desk").await;
    let id = platform.accepted(&model, json!({})).await;
    platform.work().await;
    let task = device.task().await;
    platform.disk.is_slow(true);
    let known = device.known().await.unwrap();
    let message = done(&task, Payload::Inline(row(&[0.5])));
    dcmp_service::tasks::done(&platform.app, &known, message).await.unwrap();
    // the device is heard all the same
    device.beats(4, vec![]).await;
    assert_eq!(platform.job(&id).await.state.name(), "completed");
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(device.hears_nothing());
    platform.disk.is_slow(false);
    let ack: TaskAck = serde_json::from_str(&device.hears("taskAck").await).unwrap();
    assert!(ack.accepted);
}
