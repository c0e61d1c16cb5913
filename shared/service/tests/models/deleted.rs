//! What is left of a deleted model, and what becomes of the jobs that use it.

use dcmp_service::{
    Error,
    inference::Submitted,
    models::{self, About},
    tasks,
};
use domain::job::State;
use ports::Query;
use protocol::{
    rest::models::Update,
    socket::{TaskError, TaskFailed, TaskRun},
};
use serde_json::json;

use crate::support::{Platform, rows};

fn failed(task: &TaskRun) -> TaskFailed {
    TaskFailed {
        task_id: task.task_id.clone(),
        attempt: task.attempt,
        fence: task.fence.clone(),
        error: TaskError {
            code: "MODEL_UNAVAILABLE".to_owned(),
            message: "the model was answered with 404".to_owned(),
            retryable: true,
        },
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_deleted_model() {
    let platform = Platform::start().await;
    let (app, customer) = (&platform.app, &platform.customer);
    let id = platform.model().await;
    let other = platform.model().await;
    platform.upload(About::default(), Some(&id)).await.unwrap();
    let long = json!({ "labels": ["x".repeat(10_000)] });
    let long: Update = serde_json::from_value(long).unwrap();
    models::update(app, customer, &id, &long, |_| true).await.unwrap();
    let rows = async |id: &str| {
        let query = Query::new(format!("MODEL#{id}"), "", 100);
        app.ports.records.query(query).await.unwrap().items
    };
    let blobs = |rows: &[(String, ports::Item)]| {
        let blob = |item: &ports::Item| {
            let item: serde_json::Value = item.decode().unwrap();
            item["blob"].as_str().map(str::to_owned)
        };
        rows.iter().filter_map(|(_, item)| blob(item)).collect::<Vec<_>>()
    };
    let before = rows(&id).await;
    let files = blobs(&before);
    assert_eq!((before.len(), files.len()), (5, 3), "the head, two versions, two revisions");
    for file in &files {
        assert!(platform.has_file(file).await);
    }
    models::delete(app, customer, &id).await.unwrap();
    let again = models::delete(app, customer, &id).await;
    assert!(matches!(again, Err(Error::NotFound(_))), "{again:?}");
    platform.fold().await;
    assert_eq!(rows(&id).await.len(), 0);
    for file in &files {
        assert!(!platform.has_file(file).await, "{file}");
    }
    assert_eq!(rows(&other).await.len(), 3);
    assert!(platform.has_file(&blobs(&rows(&other).await)[0]).await);
}

#[tokio::test]
async fn a_deleted_model_takes_no_version_and_no_change() {
    let platform = Platform::start().await;
    let (app, customer) = (&platform.app, &platform.customer);
    let id = platform.model().await;
    models::delete(app, customer, &id).await.unwrap();
    let version = platform.upload(About::default(), Some(&id)).await;
    assert!(matches!(version, Err(Error::NoModel(_))), "{version:?}");
    let change = models::update(app, customer, &id, &Update::default(), |_| true).await;
    assert!(matches!(change, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn jobs_that_use_it_fail_with_the_reason() {
    let platform = Platform::start().await;
    let (app, customer) = (&platform.app, &platform.customer);
    let id = platform.model().await;
    let mut device = platform.device("desk").await;
    let running = platform.submit(&id).await;
    let task = device.task().await;
    let queued = platform.accepted(&id, json!({})).await;
    models::delete(app, customer, &id).await.unwrap();

    // the device finds no file, and no other is asked
    let file = models::download_for_task(app, &device.id, &id, &running, "http://h").await;
    assert!(matches!(file, Err(Error::NotFound(_))));
    let _other = platform.device("spare").await;
    let known = device.known().await.unwrap();
    tasks::failed(app, &known, failed(&task)).await.unwrap();
    platform.work().await;
    for job in [running, queued] {
        let job = platform.job(&job).await;
        let failure = job.failure.unwrap();
        assert_eq!((job.state, failure.code.as_str()), (State::Failed, "NO_MODEL"));
        assert!(failure.message.contains(&id) && failure.message.contains("was deleted"));
    }
}

#[tokio::test]
async fn so_does_one_whose_caller_waits() {
    let platform = Platform::start().await;
    let (app, customer) = (&platform.app, &platform.customer);
    let id = platform.model().await;
    let mut device = platform.device("desk").await;
    let submitted = platform.infer(json!({ "model_id": id, "input": rows(1) }));
    let fails = async {
        let task = loop {
            if let Some(task) = device.tasks().pop() {
                break task;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        };
        // there is another that could try
        let _other = platform.device("spare").await;
        models::delete(app, customer, &id).await.unwrap();
        let known = device.known().await.unwrap();
        tasks::failed(app, &known, failed(&task)).await.unwrap();
    };
    let (submitted, ()) = futures::join!(submitted, fails);
    let Submitted::Ended(job) = submitted.unwrap() else { panic!("it was not waited for") };
    assert_eq!((job.status.as_str(), job.error.unwrap().code.as_str()), ("failed", "NO_MODEL"));
}
