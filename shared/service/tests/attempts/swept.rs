//! The net under everything: it asks the queue, and does nothing itself.

use std::{sync::Arc, time::Duration};

use dcmp_service::{sweep, tasks};
use domain::job::State;
use protocol::socket::Payload;
use serde_json::json;

use crate::support::{Device, Gate, Platform, done, row};

impl Platform {
    /// Some seconds later, with everybody alive, the timer fires.
    async fn later(&self, seconds: u64, devices: &[&Device<'_>]) {
        self.pass(Duration::from_secs(seconds));
        for device in devices {
            device.beats(3, vec![]).await;
        }
        self.fold().await;
        sweep::all(&self.app).await.unwrap();
    }
}

#[tokio::test]
async fn a_job_on_the_platforms_own_device_runs_once() {
    let engine = Arc::new(Gate::new(1));
    let platform = Platform::with_engine(&engine).await;
    let model = platform.model().await;
    let id = platform.accepted(&model, json!({})).await;
    let sweeping = async {
        while engine.begun() == 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..20 {
            platform.later(10, &[]).await;
            platform.work().await;
        }
        // a queue that delivers twice
        dcmp_service::jobs::dispatch(&platform.app, &id).await.unwrap();
        assert_eq!(engine.begun(), 1);
        engine.permits.add_permits(1);
    };
    futures::join!(platform.work(), sweeping);
    assert_eq!((platform.job(&id).await.state, engine.begun()), (State::Completed, 1));
}

/// The first batch of the feed listed the job, and was brought again together with the job's end.
#[tokio::test]
async fn a_job_that_is_over_does_not_stay_on_the_list_of_open_ones() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let mut device = platform.device("desk").await;
    let id = platform.submit(&model).await;
    let all = async || platform.app.ports.changes.read("replayed", 1000, Duration::ZERO).await;
    dcmp_service::fold::batch(&platform.app, all().await.unwrap()).await.unwrap();
    let task = device.task().await;
    device.finishes(&task).await;
    dcmp_service::fold::batch(&platform.app, all().await.unwrap()).await.unwrap();
    let is_listed = async || {
        for shard in 0..8 {
            if platform.get(&format!("OPEN#{shard}"), &id).await.is_some() {
                return true;
            }
        }
        false
    };
    assert!(is_listed().await, "the feed alone takes it off");
    platform.pass(Duration::from_secs(61));
    sweep::all(&platform.app).await.unwrap();
    assert!(!is_listed().await);
}

#[tokio::test]
async fn parked_jobs_cost_the_sweep_nothing() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    for _ in 0..5 {
        platform.accepted(&model, json!({})).await;
    }
    platform.work().await;
    platform.later(0, &[]).await;
    platform.sent();
    platform.disk.writes("");
    for _ in 0..10 {
        platform.later(1, &[]).await;
        platform.work().await;
    }
    assert_eq!((platform.disk.writes("WAIT"), platform.waiting().await.len()), (0, 5));
    let reminders = platform.sent();
    assert!(reminders.len() <= 3, "{reminders:?}");
}

#[tokio::test]
async fn what_waited_for_a_device_runs_here_once_the_platform_has_one() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let id = platform.accepted(&model, json!({})).await;
    platform.work().await;
    platform.fold().await;
    let engine = Arc::new(Gate::new(1));
    engine.permits.add_permits(1);
    let restarted = platform.another_process_with(&engine);
    sweep::all(&restarted).await.unwrap();
    assert_eq!(engine.begun(), 0, "not in the timer");
    let (_, body, _) = platform.sent().pop().unwrap();
    let scope = body["waiting"].as_str().unwrap();
    dcmp_service::parked::look(&restarted, scope).await.unwrap();
    assert_eq!(platform.job(&id).await.state, State::Completed);
    assert!(platform.waiting().await.is_empty());
}

#[tokio::test]
async fn a_job_whose_message_was_lost_is_put_into_the_queue_again() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let mut device = platform.device("desk").await;
    let id = platform.accepted(&model, json!({})).await;
    for message in platform.receive().await {
        platform.app.ports.queues.delete(dcmp_service::WORK_QUEUE, &message.receipt).await.unwrap();
    }
    platform.later(5, &[&device]).await;
    assert_eq!(platform.work().await, 0, "it was put there a moment ago");
    platform.later(90, &[&device]).await;
    assert_eq!(platform.work().await, 1);
    assert_eq!(device.next_task().await.task_id, id);
}

#[tokio::test]
async fn a_device_that_lives_is_given_its_time() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let (mut a, mut b) = (platform.device("a").await, platform.device("b").await);
    // the model takes twenty seconds as a rule
    let first = platform.accepted(&model, json!({})).await;
    platform.work().await;
    let task = match a.tasks().pop() {
        Some(task) => {
            platform.pass(Duration::from_secs(20));
            a.finishes(&task).await;
            task
        }
        None => {
            let task = b.next_task().await;
            platform.pass(Duration::from_secs(20));
            b.finishes(&task).await;
            task
        }
    };
    assert_eq!(task.task_id, first);
    let second = platform.accepted(&model, json!({})).await;
    platform.work().await;
    for _ in 0..6 {
        platform.later(10, &[&a, &b]).await;
        platform.work().await;
    }
    assert_eq!(platform.job(&second).await.attempts.len(), 1);
    // four times as long is slow
    platform.later(30, &[&a, &b]).await;
    platform.work().await;
    let attempts = platform.job(&second).await.attempts;
    assert_eq!(attempts.len(), 2);
    assert_ne!(attempts[0].device, attempts[1].device);
    // and two are enough
    for _ in 0..20 {
        platform.later(10, &[&a, &b]).await;
        platform.work().await;
    }
    assert_eq!(platform.job(&second).await.attempts.len(), 2);
}

#[tokio::test]
async fn what_a_lost_device_had_goes_to_another() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let mut silent = platform.device("silent").await;
    let id = platform.accepted(&model, json!({})).await;
    platform.work().await;
    let task = silent.next_task().await;
    let mut other = platform.device("other").await;
    platform.pass(Duration::from_secs(10));
    other.beats(3, vec![]).await;
    platform.later(6, &[]).await;
    assert_eq!(platform.work().await, 1);
    assert_eq!(other.next_task().await.task_id, id);
    // nothing is sent there until it speaks
    assert!(!silent.stored().await.is_present());
    // late is late
    let known = silent.known().await.unwrap();
    let late = done(&task, Payload::Inline(row(&[9.0])));
    tasks::done(&platform.app, &known, late).await.unwrap();
    assert_eq!(platform.job(&id).await.state, State::Running);
}
