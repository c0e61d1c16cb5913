//! A result counts if it is what the model gives, and stays as it was taken.

use bytes::Bytes;
use dcmp_service::{models, tasks};
use domain::job::{Output, State};
use ports::Checksum;
use protocol::{
    socket::{Blob, Payload, TaskRun},
    tensor::{Dtype, Named, Tensor, to_safetensors},
};

use crate::support::{Device, Platform, done, row};

/// Where a device puts outputs that do not fit into a frame.
fn place(task: &TaskRun) -> String {
    format!("outputs/{}/{}", task.task_id, task.fence)
}

fn announced(file: &Bytes) -> Payload {
    let checksum = Checksum::of(file).to_string();
    Payload::Blob(Blob { url: None, checksum, bytes: file.len() as u64 })
}

/// Stores a file as a device does by its URL, and announces it; whether it counted.
async fn stores(platform: &Platform, device: &mut Device<'_>, task: &TaskRun, file: Bytes) -> bool {
    platform.app.ports.blobs.put(&place(task), file.clone()).await.unwrap();
    device.done(done(task, announced(&file))).await
}

#[tokio::test]
async fn a_result_beside_its_job_stays_as_it_was_taken() {
    let platform = Platform::start().await;
    let mut device = platform.device("one").await;
    let model = platform.model().await;
    let job = platform.submit(&model).await;
    let task = device.task().await;
    let first: Vec<f32> = (0..500).map(|n| n as f32).collect();
    assert!(device.done(done(&task, Payload::Inline(row(&first)))).await);
    let other = vec![7.0; 500];
    assert!(device.done(done(&task, Payload::Inline(row(&other)))).await);
    assert_eq!(platform.result(&job).await, first);
}

#[tokio::test]
async fn a_result_in_a_file_stays_as_it_was_taken() {
    let platform = Platform::start().await;
    let mut device = platform.device("one").await;
    let model = platform.model().await;
    let job = platform.submit(&model).await;
    let task = device.task().await;
    let (first, other) = (to_safetensors(&row(&[1.0, 2.0])), to_safetensors(&row(&[3.0, 4.0])));
    assert!(stores(&platform, &mut device, &task, first.clone()).await);
    assert!(!platform.has_file(&place(&task)).await, "what was announced is taken away");
    // the URL is still good, and the device says again that it is done
    for file in [other, first] {
        assert!(stores(&platform, &mut device, &task, file).await);
        assert_eq!(platform.result(&job).await, [1.0, 2.0]);
    }
}

#[tokio::test]
async fn a_file_that_is_not_what_was_announced_does_not_count() {
    let platform = Platform::start().await;
    let mut device = platform.device("one").await;
    let model = platform.model().await;
    let file = to_safetensors(&row(&[1.0, 2.0]));
    let changed = to_safetensors(&row(&[1.0, 3.0]));
    let short = file.slice(..file.len() - 1);
    for stored in [None, Some(changed), Some(short)] {
        let job = platform.submit(&model).await;
        let task = device.task().await;
        if let Some(stored) = stored {
            platform.app.ports.blobs.put(&place(&task), stored).await.unwrap();
        }
        assert!(device.done(done(&task, announced(&file))).await, "the failure is noted");
        let job = platform.job(&job).await;
        assert_eq!(job.state, State::Queued);
        let end = job.attempts[0].end.as_ref().unwrap();
        assert!(end.reason.contains("did not store"), "{}", end.reason);
    }
}

fn named(name: &str, tensor: Tensor) -> Named {
    Named { name: name.to_owned(), tensor }
}

#[tokio::test]
async fn a_result_that_the_model_cannot_give_goes_to_another_device() {
    let platform = Platform::start().await;
    let model = platform.model().await;
    let floats = |shape: Vec<usize>| Tensor::from_f32(shape, &[1.0, 2.0]);
    let whole = Tensor { dtype: Dtype::Int32, shape: vec![1, 2], data: vec![0; 8].into() };
    let wrong = [
        (vec![], "expected one output `output`"),
        (vec![named("logits", floats(vec![1, 2]))], "expected one output `output`"),
        (vec![named("output", whole)], "the model's is float32"),
        (vec![named("output", floats(vec![2]))], "[N, N]"),
        (
            vec![named("output", floats(vec![1, 2])), named("more", floats(vec![1, 2]))],
            "no output `more`",
        ),
        (
            vec![named("output", floats(vec![1, 2])), named("output", floats(vec![1, 2]))],
            "expected one output `output`",
        ),
    ];
    let mut liar = platform.device("liar").await;
    for (outputs, words) in wrong {
        let job = platform.submit(&model).await;
        let task = liar.task().await;
        let inline = Payload::Inline(outputs.clone());
        assert!(liar.done(done(&task, inline)).await, "the failure is noted");
        let end = platform.job(&job).await.attempts[0].end.clone().unwrap();
        assert!(end.reason.contains(words), "{}", end.reason);
        if words.starts_with("the model's") {
            // the same in a file
            let job = platform.submit(&model).await;
            let task = liar.task().await;
            let file = to_safetensors(&outputs);
            assert!(stores(&platform, &mut liar, &task, file).await, "the failure is noted");
            let end = platform.job(&job).await.attempts[0].end.clone().unwrap();
            assert!(end.reason.contains(words), "{}", end.reason);
        }
        // one that can
        let mut honest = platform.device("honest").await;
        platform.fold().await;
        dcmp_service::jobs::dispatch(&platform.app, &job).await.unwrap();
        let task = honest.task().await;
        assert_eq!(task.task_id, job);
        assert!(honest.done(done(&task, Payload::Inline(row(&[5.0])))).await);
        assert_eq!(platform.result(&job).await, [5.0]);
        honest.disconnect().await;
        platform.fold().await;
    }
}

#[tokio::test]
async fn a_process_that_did_not_send_the_task_looks_it_up() {
    let platform = Platform::start().await;
    let mut device = platform.device("one").await;
    let model = platform.model().await;
    let app = platform.another_process();
    let known = device.known().await.unwrap();
    let job = platform.submit(&model).await;
    let task = device.task().await;
    let wrong = vec![named("logits", Tensor::from_f32(vec![1, 1], &[1.0]))];
    tasks::done(&app, &known, done(&task, Payload::Inline(wrong))).await.unwrap();
    device.hears("taskAck").await;
    assert_eq!(platform.job(&job).await.state, State::Queued);

    let job = platform.submit(&model).await;
    let task = device.task().await;
    for _ in 0..2 {
        let message = done(&task, Payload::Inline(row(&[1.0])));
        tasks::done(&app, &known, message).await.unwrap();
        assert!(device.hears("taskAck").await.contains("true"));
    }
    assert!(matches!(platform.job(&job).await.outcome.unwrap().result, Output::Inline(_)));

    let job = platform.submit(&model).await;
    let task = device.task().await;
    models::delete(&platform.app, &platform.customer, &model).await.unwrap();
    let app = platform.another_process();
    tasks::done(&app, &known, done(&task, Payload::Inline(row(&[1.0])))).await.unwrap();
    let failure = platform.job(&job).await.failure.unwrap();
    assert_eq!(failure.code, "NO_MODEL");
}
