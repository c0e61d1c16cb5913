//! Calls that wait: what they do when devices decline, leave, or are gone.

use std::time::Duration;

use dcmp_service::{Error, inference::Submitted, jobs};
use domain::job::Input;
use protocol::socket::DeclineReason;
use serde_json::json;

use crate::support::{Device, Platform, rows, with_slots};

#[tokio::test]
async fn a_declined_attempt_frees_its_place_for_others() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let mut device = platform.device_with(&platform.key, with_slots("small", 1)).await;
    let body = json!({ "model_id": model, "input": rows(1) });
    let declining = platform.infer(body.clone());
    let serving = async {
        for _ in 0..5 {
            let task = device.next_task().await;
            device.declines(&task, DeclineReason::Busy).await;
        }
        // the platform sends no more than it believes to fit: all declined ones must be forgotten
        let ids = [
            platform.accepted(&model, json!({})).await,
            platform.accepted(&model, json!({})).await,
        ];
        platform.work().await;
        for _ in 0..3 {
            let task = device.next_task().await;
            device.finishes(&task).await;
        }
        ids
    };
    let (answered, ids) = futures::join!(declining, serving);
    assert!(matches!(answered, Ok(Submitted::Ended(job)) if job.status == "completed"));
    for id in ids {
        assert_eq!(platform.job(&id).await.state.name(), "completed");
    }
}

#[tokio::test]
async fn a_call_does_not_ask_a_leaving_device_twice() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let mut device = platform.device("leaving").await;
    for reason in [DeclineReason::Unsupported, DeclineReason::Policy] {
        let body = json!({ "model_id": model, "input": rows(1) });
        let refusing = async {
            let task = device.next_task().await;
            device.declines(&task, reason).await;
            task.task_id
        };
        let (refused, id) = futures::join!(platform.infer(body), refusing);
        assert!(matches!(refused, Err(Error::NoDevices(_))), "{reason:?}");
        assert!(device.tasks().is_empty(), "{reason:?}");
        // whoever is told that nothing could run it is not billed for a run later
        assert!(jobs::load(&platform.app, &id).await.unwrap().is_none(), "{reason:?}");
    }
    platform.fold().await;
    assert_eq!(platform.work().await, 0);
}

#[tokio::test]
async fn a_call_that_finds_its_device_gone_leaves_nothing_behind() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let mut device = platform.device("gone").await;
    device.vanish();
    let body = json!({ "model_id": model, "input": rows(1) });
    for _ in 0..2 {
        // the key is free for another try
        let refused = platform.infer_once(body.clone(), Some("key")).await;
        assert!(matches!(refused, Err(Error::NoDevices(_))));
    }
    assert!(platform.jobs().await.is_empty());
}

/// A task of a call that waits, whose input only the call has.
async fn attended(platform: &Platform, device: &mut Device<'_>) -> String {
    let task = device.next_task().await;
    let job = platform.job(&task.task_id).await;
    assert!(matches!(job.input, Input::Caller), "{job:?}");
    let waits_us = 100_000;
    let outlasts_us = job.attended_until_us - job.created_us - waits_us;
    assert!(outlasts_us >= 1_000_000, "no time to let go of it");
    task.task_id
}

#[tokio::test]
async fn the_input_of_a_call_that_lets_go_is_not_lost() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let mut device = platform.device("slow").await;
    let options = json!({ "timeout": 100 });
    let body = json!({ "model_id": model, "input": rows(100), "options": options });
    let (accepted, id) = futures::join!(platform.infer(body), attended(&platform, &mut device));
    let Ok(Submitted::Accepted(accepted)) = accepted else { panic!("it was answered") };
    assert_eq!((&accepted.job_id, &*accepted.status), (&id, "running"));
    let job = platform.job(&id).await;
    assert!(matches!(job.input, Input::Blob(_)));
    assert!(!job.is_attended(platform.app.ports.clock.now_us()));
}

#[tokio::test]
async fn an_input_that_only_the_caller_had_is_missed_only_when_nobody_works_on_it() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let mut device = platform.device("slow").await;
    // the call ends without a word, as when its process dies
    let body = json!({ "model_id": model, "input": rows(100), "options": { "timeout": 100 } });
    let id = {
        let call = platform.infer(body);
        futures::pin_mut!(call);
        let task = attended(&platform, &mut device);
        futures::pin_mut!(task);
        match futures::future::select(call, task).await {
            futures::future::Either::Left(_) => panic!("it was answered"),
            futures::future::Either::Right((id, _)) => id,
        }
    };
    platform.fold().await;
    for _ in 0..4 {
        platform.pass(Duration::from_secs(10));
        device.beats(3, vec![]).await;
        dcmp_service::sweep::all(&platform.app).await.unwrap();
        platform.work().await;
        assert_eq!(platform.job(&id).await.state.name(), "running");
    }
    // now the device is lost, too
    platform.pass(Duration::from_secs(20));
    dcmp_service::sweep::all(&platform.app).await.unwrap();
    platform.work().await;
    assert_eq!(platform.job(&id).await.failure.unwrap().code, "INPUT_LOST");
}
