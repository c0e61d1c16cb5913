//! What is refused, and what is answered to a request that comes twice.

use std::{sync::Arc, time::Duration};

use dcmp_service::{Error, inference::Submitted, sweep};
use futures::future::Either;
use serde_json::{Value, json};

use crate::support::{Device, Gate, Platform, rows};

#[tokio::test]
async fn a_request_that_comes_twice_is_answered_as_the_first_time() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let mut device = platform.device("desk").await;
    let body = json!({ "model_id": model, "input": rows(1), "async": true });
    let submit = async || match platform.infer_once(body.clone(), Some("key")).await.unwrap() {
        Submitted::Accepted(accepted) => serde_json::to_value(accepted).unwrap(),
        Submitted::Ended(job) => panic!("the first answer was another: {job:?}"),
    };
    let first = submit().await;
    assert_eq!(first["status"], "queued");
    platform.work().await;
    assert_eq!(submit().await, first, "it runs");
    let task = device.task().await;
    device.finishes(&task).await;
    assert_eq!(submit().await, first, "it has its result");
}

#[tokio::test]
async fn so_is_one_whose_caller_stopped_waiting() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let mut device = platform.device("desk").await;
    let body = json!({ "model_id": model, "input": rows(1), "options": { "timeout": 0 } });
    let submit = async || match platform.infer_once(body.clone(), Some("key")).await.unwrap() {
        Submitted::Accepted(accepted) => serde_json::to_value(accepted).unwrap(),
        Submitted::Ended(job) => panic!("the first answer was another: {job:?}"),
    };
    let first = submit().await;
    assert_eq!(first["status"], "running");
    let task = device.task().await;
    device.finishes(&task).await;
    assert_eq!(submit().await, first);
}

/// The call of a large input was killed, and the device that had the only copy of it goes away: before
/// the request comes again, or afterwards.
#[tokio::test]
async fn a_request_that_comes_again_brings_the_input_of_a_call_that_died() {
    for lost_first in [false, true] {
        let platform = Platform::start().await;
        let model = platform.model().await;
        let mut device = platform.device("desk").await;
        let body = json!({ "model_id": model, "input": rows(400) });
        let died = {
            let call = platform.infer_once(body.clone(), Some("key"));
            let received = device.task();
            futures::pin_mut!(call, received);
            match futures::future::select(call, received).await {
                Either::Left(_) => panic!("the call ended"),
                Either::Right((task, _)) => task,
            }
        };
        platform.pass(Duration::from_secs(31));
        let again = async || match platform.infer_once(body.clone(), Some("key")).await.unwrap() {
            Submitted::Accepted(accepted) => assert_eq!(accepted.job_id, died.task_id),
            Submitted::Ended(job) => panic!("it was waited for: {job:?}"),
        };
        let lose = async |device: &mut Device<'_>| {
            device.disconnect().await;
            platform.fold().await;
            sweep::all(&platform.app).await.unwrap();
            platform.work().await;
        };
        if !lost_first {
            again().await;
        }
        lose(&mut device).await;
        let mut other = platform.device("lap").await;
        if lost_first {
            again().await;
        }
        platform.work().await;
        let task = other.next_task().await;
        assert_eq!((task.task_id, task.inputs), (died.task_id, died.inputs), "{lost_first}");
    }
}

fn path(refused: Result<Submitted, Error>) -> String {
    match refused {
        Err(Error::Invalid(details)) => details[0].path.clone(),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was taken"),
    }
}

#[tokio::test]
async fn inputs_whose_outputs_would_be_too_large_are_refused() {
    let platform = Platform::start().await;
    // 256 KB for a row: 256 rows are 64 MB
    let model = platform.model_of_width(1 << 16).await;
    let body = |count| json!({ "model_id": model, "input": rows(count), "async": true });
    assert_eq!(path(platform.infer(body(257)).await), "input.shape");
    assert!(matches!(platform.infer(body(256)).await, Ok(Submitted::Accepted(_))));
    let huge = platform.model_of_width(usize::MAX / 4).await;
    let body = json!({ "model_id": huge, "input": rows(8), "async": true });
    assert_eq!(path(platform.infer(body).await), "input.shape");
}

#[tokio::test]
async fn outputs_of_any_shape_are_refused_when_they_are_too_large() {
    let engine = Arc::new(Gate::new((64 << 18) + 1));
    engine.permits.add_permits(1);
    let platform = Platform::with_engine(&engine).await;
    let model = platform.model().await;
    let submitted = platform.infer(json!({ "model_id": model, "input": rows(1) })).await.unwrap();
    let Submitted::Ended(job) = submitted else { panic!("it did not end") };
    let error = job.error.unwrap();
    assert_eq!((&*job.status, &*error.code), ("failed", "MODEL_FAILED"));
    assert!(error.message.contains("67108864 are allowed"), "{}", error.message);
}

#[tokio::test]
async fn a_deadline_ends_a_job_before_its_caller_stops_waiting() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    // one that has no device because all are full, and one that has
    let mut device = platform.device_with(&platform.key, crate::support::with_slots("d", 1)).await;
    let body = |deadline: u64| {
        let options = json!({ "deadline_ms": deadline, "timeout": 20_000 });
        json!({ "model_id": model, "input": rows(1), "options": options })
    };
    let ended = async |body: Value, words: &str| {
        let Submitted::Ended(job) = platform.infer(body).await.unwrap() else {
            panic!("it goes on without its caller")
        };
        let error = job.error.unwrap();
        assert_eq!((&*job.status, &*error.code), ("timed_out", "DEADLINE_EXCEEDED"));
        assert!(error.message.contains(words), "{}", error.message);
        // it is on record as any other
        assert_eq!(platform.job(&job.job_id).await.state.name(), "timed_out");
    };
    ended(body(50), "while a device worked on it").await;
    device.tasks();
    for _ in 0..3 {
        platform.accepted(&model, json!({})).await;
    }
    platform.work().await;
    assert_eq!(device.tasks().len(), 3);
    ended(body(50), "before a device was free").await;
}
