//! Work that nobody waits for, and devices that are full, leave, or come back.

use std::time::Duration;

use dcmp_service::{Error, WORK_QUEUE, inference, parked};
use domain::job::State;
use ports::{Condition, Key, Write};
use protocol::socket::DeclineReason;
use serde_json::json;

use crate::support::{Platform, Sent, rows, with_slots};

#[tokio::test]
async fn what_does_not_fit_on_a_device_waits_for_room() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let mut device = platform.device_with(&platform.key, with_slots("small", 1)).await;
    for _ in 0..10 {
        platform.accepted(&model, json!({})).await;
    }
    assert_eq!(platform.work().await, 10);
    // one runs and two wait behind it
    let mut tasks = device.tasks();
    assert_eq!((tasks.len(), platform.waiting().await.len()), (3, 7));
    platform.disk.writes("");
    assert_eq!(platform.work().await, 0, "nothing is to be done until the device says something");
    assert_eq!(platform.disk.writes(""), 0);
    // a place that becomes free is taken by one
    while let Some(task) = tasks.pop() {
        device.finishes(&task).await;
        let next = device.tasks();
        assert!(next.len() <= 1, "{next:?}");
        tasks.extend(next);
    }
    assert!(platform.waiting().await.is_empty());
    for id in platform.jobs().await {
        assert_eq!(platform.job(&id).await.state, State::Completed);
    }
}

#[tokio::test]
async fn a_device_that_is_full_is_not_asked_in_circles() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let mut device = platform.device("full").await;
    let id = platform.accepted(&model, json!({})).await;
    let mut asked = 0;
    for _ in 0..20 {
        platform.work().await;
        for task in device.tasks() {
            asked += 1;
            device.declines(&task, DeclineReason::Busy).await;
        }
    }
    assert_eq!(asked, 1);
    assert_eq!(platform.waiting().await.len(), 1);
    // the net under what the device may forget to say comes later
    let sent = platform.sent();
    let later = |(queue, _, delay): &&Sent| queue == WORK_QUEUE && *delay > Duration::ZERO;
    assert_eq!(sent.iter().filter(later).count(), 1, "{sent:?}");
    // with room it is asked again, at once
    device.beats(1, vec![]).await;
    let task = device.next_task().await;
    device.finishes(&task).await;
    assert_eq!(platform.job(&id).await.state, State::Completed);
    assert!(platform.waiting().await.is_empty());
}

#[tokio::test]
async fn a_device_that_cannot_run_a_model_is_not_asked_again_for_now() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let mut device = platform.device("unable").await;
    platform.accepted(&model, json!({})).await;
    platform.work().await;
    let task = device.next_task().await;
    device.declines(&task, DeclineReason::Unsupported).await;
    platform.work().await;
    device.beats(4, vec![]).await;
    assert!(device.tasks().is_empty(), "not even when it has room");
    platform.pass(Duration::from_secs(61));
    device.beats(4, vec![]).await;
    assert_eq!(device.tasks().len(), 1);
}

#[tokio::test]
async fn another_device_is_asked_at_once() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let (mut a, mut b) = (platform.device("a").await, platform.device("b").await);
    platform.accepted(&model, json!({})).await;
    platform.work().await;
    let (full, other, task) = match a.tasks().pop() {
        Some(task) => (&mut a, &mut b, task),
        None => {
            let task = b.next_task().await;
            (&mut b, &mut a, task)
        }
    };
    full.declines(&task, DeclineReason::Busy).await;
    platform.work().await;
    assert_eq!((other.tasks().len(), full.tasks().len()), (1, 0));
}

#[tokio::test]
async fn what_cannot_run_does_not_hold_up_what_can() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let aws = json!({ "options": { "instance_type": "aws" } });
    let waits = platform.accepted(&model, aws).await;
    let cancelled = platform.accepted(&model, json!({})).await;
    let expired = platform.accepted(&model, json!({})).await;
    let good = platform.accepted(&model, json!({})).await;
    platform.work().await;
    assert_eq!(platform.waiting().await.len(), 4);
    inference::cancel(&platform.app, &platform.customer, &cancelled).await.unwrap();
    let item = Key::new(format!("JOB#{expired}"), "HEAD");
    platform.app.ports.records.write(Write::delete(item, Condition::Exists)).await.unwrap();
    let mut device = platform.device_with(&platform.key, with_slots("one", 1)).await;
    let task = device.next_task().await;
    assert_eq!(task.task_id, good);
    let left = platform.waiting().await;
    assert!(left.len() == 1 && left[0].ends_with(&waits), "{left:?}");
}

#[tokio::test]
async fn nothing_is_pulled_without_room() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    platform.accepted(&model, json!({})).await;
    platform.work().await;
    parked::pull(&platform.app, &platform.customer, 0).await.unwrap();
    parked::pull(&platform.app, &platform.customer, 5_000).await.unwrap();
    assert_eq!(platform.waiting().await.len(), 1);
}

#[tokio::test]
async fn a_process_that_did_not_send_the_tasks_finds_the_device_full_once_for_each() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let mut device = platform.device_with(&platform.key, with_slots("small", 1)).await;
    for _ in 0..5 {
        platform.accepted(&model, json!({})).await;
    }
    platform.work().await;
    let mut tasks = device.tasks();
    // what the process knows of the device is less than the device knows
    device.declines(&tasks.pop().unwrap(), DeclineReason::Busy).await;
    platform.work().await;
    assert_eq!(device.tasks().len(), 0, "the one that was declined rests, the others are parked");
    device.finishes(&tasks[0]).await;
    assert_eq!(device.tasks().len(), 1);
}

#[tokio::test]
async fn while_a_customers_oldest_job_waits_for_too_long_no_more_are_taken() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    platform.accepted(&model, json!({ "options": { "deadline_ms": 3_600_000 } })).await;
    platform.work().await;
    platform.pass(Duration::from_secs(239));
    platform.accepted(&model, json!({})).await;
    platform.pass(Duration::from_secs(2));
    let body = json!({ "model_id": model, "input": rows(1), "async": true });
    let refused = platform.infer(body).await;
    let Err(Error::RateLimited(message, _)) = refused else { panic!("it was taken") };
    assert!(message.contains("241 s"), "{message}");
    // the device takes what waits, and then there is room again
    let mut device = platform.device("late").await;
    for task in device.tasks() {
        device.finishes(&task).await;
    }
    platform.work().await;
    platform.pass(Duration::from_secs(2));
    platform.accepted(&model, json!({})).await;
}
