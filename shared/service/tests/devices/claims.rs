//! What devices say of their work, be it as absurd as it may.

use dcmp_service::inference::{self, Submitted};
use domain::job::{Attempt, Input, Job, New, Outcome, Output, Tensors, Wants, finish};
use domain::model::Pin;
use ports::{Condition, Item, Key, Write};
use protocol::socket::{DeviceTimings, Payload, TaskDone, Usage};

use crate::support::{Platform, done, request, row};

/// A result that nobody can have measured.
fn absurd(message: TaskDone) -> TaskDone {
    TaskDone {
        timings_ms: DeviceTimings { queue: -1e300, compute: 1e300, ..Default::default() },
        usage: Usage { cpu_ms: 1.7e308, gpu_ms: -1.7e308, ..Default::default() },
        ..message
    }
}

#[tokio::test]
async fn sums_of_absurd_numbers_are_numbers() {
    let platform = Platform::start().await;
    let mut device = platform.device("liar").await;
    let model = platform.model().await;
    for _ in 0..2 {
        let job = platform.submit(&model).await;
        let task = device.task().await;
        assert!(device.done(absurd(done(&task, Payload::Inline(row(&[1.0]))))).await);
        let [queue, transfer, compute, total] = platform.job(&job).await.timings_ms().unwrap();
        assert!([queue, transfer, compute].iter().all(|part| (0.0..=total).contains(part)));
        platform.fold().await;
    }
    let metrics = platform.show(&device.id).await.metrics.unwrap();
    assert_eq!((metrics.tasks_completed, metrics.gpu_ms), (2, 0));
    // a thousand cores for two days, and no more
    assert!(metrics.cpu_ms <= 2 * 1024 * 24 * 3_600_000, "{metrics:?}");
}

#[tokio::test]
async fn sums_over_absurd_numbers_that_are_on_record_stay_numbers() {
    let platform = Platform::start().await;
    let device = platform.device("liar").await;
    for number in 0..2 {
        let mut job = Job::new(
            New {
                id: format!("infer_{number}"),
                customer: platform.customer.clone(),
                project: None,
                model: Pin { id: "model_1".to_owned(), version: 1, revision: 1 },
                input: Input::Caller,
                by_name: false,
                adapted: None,
                wants: Wants::default(),
                chunk: None,
                body_hash: None,
                attended_ms: None,
                deadline_ms: 1000,
            },
            platform.app.ports.clock.now_us(),
        );
        job.attempts.push(Attempt {
            fence: "fence".to_owned(),
            device: device.id.clone(),
            session: "session".to_owned(),
            sent_us: job.created_us,
            end: None,
        });
        let outcome = Outcome {
            failed: 0,
            fence: "fence".to_owned(),
            result: Output::Inline(Tensors::encode(&[(); 0]).unwrap()),
            queue_ms: -1e300,
            compute_ms: 1e300,
            cpu_ms: 1.7e308,
            gpu_ms: 1.7e308,
        };
        finish(outcome, job.created_us).apply(&mut job);
        let key = Key::new(format!("JOB#{}", job.id), "HEAD");
        let write = Write::put(key, Item::encode(&job).unwrap(), Condition::Absent);
        platform.app.ports.records.write(write).await.unwrap();
        platform.fold().await;
    }
    let metrics = platform.show(&device.id).await.metrics.unwrap();
    assert_eq!((metrics.tasks_completed, metrics.avg_latency_ms), (2, 0.0));
}

#[tokio::test]
async fn a_call_waits_as_usual_after_absurd_timings() {
    let platform = Platform::start().await;
    let mut device = platform.device("liar").await;
    let model = platform.model().await;
    for _ in 0..3 {
        let request = request(&model, 1);
        let submit = inference::submit(&platform.app, platform.call(false), &request);
        let answer = async {
            let task = device.task().await;
            assert!(device.done(absurd(done(&task, Payload::Inline(row(&[1.0]))))).await);
        };
        let (submitted, ()) = futures::join!(submit, answer);
        let Submitted::Ended(job) = submitted.unwrap() else { panic!("it was answered") };
        assert_eq!(job.status, "completed");
    }
}

#[tokio::test]
async fn rows_that_cannot_be_read_do_not_hold_up_the_feed() {
    let platform = Platform::start().await;
    let device = platform.device("one").await;
    let model = platform.model().await;
    platform.fold().await;
    let page = format!("{:02x}", domain::fleet::shard(&device.id));
    let rows = [
        (format!("POOL#{}", platform.customer), page.as_str()),
        (format!("DEV#{}", device.id), "STATS"),
        ("TOTALS".to_owned(), "HEAD"),
        ("JOB#infer_broken".to_owned(), "HEAD"),
        ("DEV#dev_broken".to_owned(), "HEAD"),
    ];
    for (partition, sort) in &rows {
        let nonsense = serde_json::json!({ "devices": 5, "state": "odd", "cpu_ms": null });
        let item = Item::encode(&nonsense).unwrap();
        let write = Write::put(Key::new(partition, *sort), item, Condition::Always);
        platform.app.ports.records.write(write).await.unwrap();
    }
    let other = platform.device("two").await;
    device.beats(3, Vec::new()).await;
    let job = platform.submit(&model).await;
    platform.fold().await;
    // both are placed by their pages, and the job is on the sweep's list
    for device in [&device, &other] {
        let page = format!("{:02x}", domain::fleet::shard(&device.id));
        let page = platform.get(&format!("POOL#{}", platform.customer), &page).await.unwrap();
        let page: domain::fleet::Page = page.decode().unwrap();
        assert!(page.devices.contains_key(&device.id));
    }
    let shard = domain::fleet::shard(&job) % 8;
    assert!(platform.get(&format!("OPEN#{shard}"), &job).await.is_some());
    assert_eq!(platform.show(&device.id).await.metrics.unwrap().tasks_completed, 0);
}
