//! Each input has one result, whatever devices do.

use std::time::Duration;

use dcmp_service::batch::{self, Wake};
use protocol::socket::Payload;
use serde_json::json;

use crate::support::{Platform, batches::inputs, done, row, with_slots};

/// The first number of a result, which is the place of its input.
fn number(item: &protocol::rest::batch::Item) -> Option<f64> {
    let result: serde_json::Value = serde_json::from_str(item.result.as_ref()?.get()).unwrap();
    result["data"][0].as_f64()
}

#[tokio::test]
async fn each_input_has_its_result() {
    let platform = Platform::start().await;
    let model = platform.model_of_width(1).await;
    let mut device = platform.device("one").await;
    let mut given = inputs(300);
    given[5] = json!({ "data": [1], "shape": [1, 1] });
    given[250] = json!("no tensor");
    let id = platform.batch(&model, &given).await;
    assert!(device.works().await > 1, "it was not cut");
    let batch = platform.shown(&id).await;
    assert_eq!(batch.status, "completed");
    let progress = batch.progress;
    assert_eq!((progress.completed, progress.failed, progress.total), (298, 2, 300));
    let results = platform.results(&id).await;
    assert_eq!(results.len(), 300);
    for (index, item) in results.iter().enumerate() {
        assert_eq!(item.index, index as u64);
        let expected = (!matches!(index, 5 | 250)).then_some(index as f64);
        assert_eq!(number(item), expected, "{item:?}");
    }
    let why = |index: usize| results[index].error.as_ref().unwrap().message.clone();
    assert!(why(5).contains("[N, 2]") && why(250).contains("tensor"), "{} {}", why(5), why(250));
}

#[tokio::test]
async fn what_is_told_twice_is_counted_once() {
    let platform = Platform::start().await;
    let model = platform.model_of_width(1).await;
    let mut device = platform.device("twice").await;
    let id = platform.batch(&model, &inputs(40)).await;
    platform.look_after().await;
    let tasks = device.tasks();
    for task in tasks.iter().chain(&tasks) {
        device.answers(task).await;
    }
    // the feed tells of it too, and again
    for _ in 0..2 {
        platform.fold().await;
        platform.look_after().await;
    }
    let wake = Wake { batch: id.clone(), ended: vec![0, 0, 1, 7], tick: Some(0), revive: true };
    batch::advance(&platform.app, wake).await.unwrap();
    device.works().await;
    let progress = platform.shown(&id).await.progress;
    assert_eq!((progress.completed, progress.failed), (40, 0));
}

#[tokio::test]
async fn an_input_that_fails_fails_alone() {
    let platform = Platform::start().await;
    let model = platform.model_of_width(1).await;
    let mut device = platform.device("strict").await;
    let id = platform.batch(&model, &inputs(20)).await;
    platform.look_after().await;
    for task in device.tasks() {
        let message = platform.answer(&task, |first| first == 7.0).await;
        device.says_done(message).await;
    }
    device.works().await;
    let progress = platform.shown(&id).await.progress;
    assert_eq!((progress.completed, progress.failed), (19, 1));
    let results = platform.results(&id).await;
    assert_eq!(results[7].error.as_ref().unwrap().message, "7 is too much");
    assert_eq!((number(&results[6]), number(&results[8])), (Some(6.0), Some(8.0)));
}

#[tokio::test]
async fn a_result_that_the_model_cannot_give_is_not_taken() {
    let platform = Platform::start().await;
    let model = platform.model_of_width(1).await;
    let mut liar = platform.device("liar").await;
    let id = platform.batch(&model, &inputs(10)).await;
    platform.look_after().await;
    let tasks = liar.tasks();
    assert!(!tasks.is_empty());
    let mut honest = platform.device("honest").await;
    platform.fold().await;
    for task in &tasks {
        // that of a single inference, where many were asked for
        liar.says_done(done(task, Payload::Inline(row(&[0.5])))).await;
    }
    platform.work().await;
    platform.look_after().await;
    honest.works().await;
    let progress = platform.shown(&id).await.progress;
    assert_eq!((progress.completed, progress.failed), (10, 0));
}

#[tokio::test]
async fn a_chunk_that_no_device_can_do_fails_with_the_last_reason() {
    let platform = Platform::start().await;
    let model = platform.model_of_width(1).await;
    let mut device = platform.device("broken").await;
    let id = platform.batch(&model, &inputs(10)).await;
    platform.look_after().await;
    for _ in 0..9 {
        for task in device.tasks() {
            device.says_done(done(&task, Payload::Inline(row(&[0.5])))).await;
        }
        platform.work().await;
        platform.look_after().await;
    }
    let batch = platform.shown(&id).await;
    assert_eq!((batch.status.as_str(), batch.progress.failed), ("completed", 10));
    let failure = platform.results(&id).await[3].error.clone().unwrap();
    assert_eq!(failure.code, "BAD_RESULT", "{failure:?}");
}

#[tokio::test]
async fn another_device_takes_over_and_the_first_comes_too_late() {
    let platform = Platform::start().await;
    let model = platform.model_of_width(1).await;
    let mut gone = platform.device_with(&platform.key, with_slots("gone", 1)).await;
    let id = platform.batch(&model, &inputs(10)).await;
    platform.look_after().await;
    let tasks = gone.tasks();
    assert!(!tasks.is_empty());
    platform.pass(Duration::from_secs(60));
    let mut other = platform.device("other").await;
    platform.fold().await;
    dcmp_service::sweep::all(&platform.app).await.unwrap();
    platform.work().await;
    other.works().await;
    let before = platform.shown(&id).await;
    assert_eq!((before.status.as_str(), before.progress.completed), ("completed", 10));
    for task in &tasks {
        let late = platform.answer(task, |_| true).await;
        gone.says_done(late).await;
    }
    platform.fold().await;
    platform.look_after().await;
    let after = platform.shown(&id).await;
    assert_eq!((after.progress, after.completed_at), (before.progress, before.completed_at));
    let results = platform.results(&id).await;
    assert!(results.iter().all(|item| item.status == "completed"), "{results:?}");
}

#[tokio::test]
async fn two_processes_that_cut_the_same_batch_cut_it_once() {
    let platform = Platform::start().await;
    let model = platform.model_of_width(1).await;
    let mut device = platform.device("busy").await;
    platform.fold().await;
    let id = platform.batch(&model, &inputs(200)).await;
    let others = [platform.another_process(), platform.another_process()];
    let wake = || Wake { batch: id.clone(), ended: Vec::new(), tick: Some(0), revive: false };
    let (one, two, three) = tokio::join!(
        batch::advance(&others[0], wake()),
        batch::advance(&others[1], wake()),
        batch::advance(&platform.app, wake()),
    );
    one.and(two).and(three).unwrap();
    device.works().await;
    let progress = platform.shown(&id).await.progress;
    assert_eq!((progress.completed, progress.failed), (200, 0));
    let numbers: Vec<_> = platform.results(&id).await.iter().filter_map(number).collect();
    assert_eq!(numbers, (0..200).map(f64::from).collect::<Vec<_>>());
}
