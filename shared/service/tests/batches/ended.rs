//! Batches that are cancelled, or whose time or model is gone.

use std::time::Duration;

use dcmp_service::{Error, batch, models};
use domain::job::State;
use protocol::socket::kind;
use serde_json::json;

use crate::support::{Platform, batches::inputs};

#[tokio::test]
async fn a_cancelled_batch_stops_at_once() {
    let platform = Platform::start().await;
    let model = platform.model_of_width(1).await;
    let mut device = platform.device("stopped").await;
    let id = platform.batch(&model, &inputs(500)).await;
    platform.look_after().await;
    let tasks = device.tasks();
    device.answers(&tasks[0]).await;
    platform.look_after().await;
    let cancelled = batch::cancel(&platform.app, &platform.customer, &id).await.unwrap();
    assert_eq!(cancelled.status, "cancelled");
    let running = tasks.len() - 1 + device.tasks().len();
    platform.look_after().await;
    let mut told = 0;
    while !device
        .hears_nothing_or(|frame| told += usize::from(kind(frame).unwrap() == "taskCancel"))
    {}
    assert_eq!(told, running, "each device that works is told");
    let before = platform.shown(&id).await;
    assert_eq!(before.status, "cancelled");
    for task in &tasks {
        device.answers(task).await;
    }
    assert_eq!(device.works().await, 0, "nothing is given out any more");
    assert_eq!(platform.shown(&id).await.progress, before.progress);
    let again = batch::cancel(&platform.app, &platform.customer, &id).await;
    assert!(matches!(again, Err(Error::CannotCancel(State::Cancelled))));
    assert!(platform.rows(&format!("WAIT#{id}")).await.is_empty());
    assert!(platform.rows("OPENBATCHES").await.is_empty());
    assert!(platform.rows(&format!("BATCHES#{}", platform.customer)).await.is_empty());
}

#[tokio::test]
async fn a_batch_whose_deadline_passed_ends() {
    let platform = Platform::start().await;
    let model = platform.model_of_width(1).await;
    let body = json!({
        "model_id": model, "inputs": inputs(10), "options": { "deadline_ms": 60_000 },
    });
    let id = platform.batch_of(body).await.unwrap();
    platform.look_after().await;
    platform.pass(Duration::from_secs(61));
    dcmp_service::sweep::all(&platform.app).await.unwrap();
    platform.look_after().await;
    let batch = platform.shown(&id).await;
    assert_eq!(batch.status, "timed_out");
    assert!(batch.error.unwrap().message.contains("0 of 10"));
}

#[tokio::test]
async fn a_batch_whose_model_was_deleted_fails() {
    let platform = Platform::start().await;
    let model = platform.model_of_width(1).await;
    let id = platform.batch(&model, &inputs(10)).await;
    models::delete(&platform.app, &platform.customer, &model).await.unwrap();
    platform.pass(Duration::from_secs(2));
    platform.look_after().await;
    let batch = platform.shown(&id).await;
    assert_eq!(batch.status, "failed");
    assert!(batch.error.unwrap().message.contains("deleted"));
}

#[tokio::test]
async fn a_batch_whose_messages_were_lost_is_found_by_the_sweep() {
    let platform = Platform::start().await;
    let model = platform.model_of_width(1).await;
    let mut device = platform.device("late").await;
    let id = platform.batch(&model, &inputs(10)).await;
    let queues = &platform.app.ports.queues;
    let lost = queues.receive("batches", 10, Duration::from_secs(1), Duration::ZERO).await.unwrap();
    for message in lost {
        queues.delete("batches", &message.receipt).await.unwrap();
    }
    platform.pass(Duration::from_secs(60));
    dcmp_service::sweep::all(&platform.app).await.unwrap();
    device.works().await;
    assert_eq!(platform.shown(&id).await.status, "completed");
}
