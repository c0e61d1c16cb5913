//! How a device keeps its connection.

use std::time::Duration;

use crate::support::{onnx::Mlp, *};
use dcmp_device::{Agent, Error, Event};
use protocol::socket::{Fault, Hello, TaskDone, TaskFailed};

#[tokio::test]
async fn results_are_sent_again_until_they_are_acknowledged() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let _device = Running::start(platform.config(dir.path()));
    let (mut connection, hello) = platform.welcome().await;
    assert_eq!(hello.resume, None);
    let mlp = Mlp::new([4, 8, 3]);
    let model = platform.model("mlp", &mlp.file());
    let (x, _) = mlp.example(1, 1);
    let mut wrong = x.clone();
    wrong.name = "z".to_owned();
    connection.say(&task("t1", &model, &x)).await;
    connection.hear::<TaskDone>("taskDone").await;
    connection.say(&task("t2", &model, &wrong)).await;
    connection.hear::<TaskFailed>("taskFailed").await;
    // without a goodbye
    drop(connection);

    let (mut connection, hello) = platform.welcome().await;
    assert_eq!(hello.resume.as_deref(), Some(TOKEN));
    let done: TaskDone = connection.hear("taskDone").await;
    assert_eq!(done.task_id, "t1");
    let failed: TaskFailed = connection.hear("taskFailed").await;
    assert_eq!(failed.task_id, "t2");
    connection.ack("t1").await;
    connection.ack("t2").await;
    // makes sure that the acknowledgements were read
    connection.say(&task("t3", &model, &x)).await;
    connection.hear::<TaskDone>("taskDone").await;
    connection.ack("t3").await;
    connection.say(&task("t4", &model, &x)).await;
    connection.hear::<TaskDone>("taskDone").await;
    drop(connection);

    let (mut connection, _) = platform.welcome().await;
    let done: TaskDone = connection.hear("taskDone").await;
    assert_eq!(done.task_id, "t4", "the others were acknowledged");
}

#[tokio::test]
async fn work_goes_on_while_there_is_no_connection() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut device = Running::start(platform.config(dir.path()));
    let (mut connection, _) = platform.welcome().await;
    let mlp = Mlp::new([4, 8, 3]);
    let model = platform.model("gated", &mlp.file());
    let (x, _) = mlp.example(1, 1);
    connection.say(&task("t1", &model, &x)).await;
    soon(device.status.wait_for(|status| status.in_hand == 1)).await.unwrap();
    drop(connection);
    // the device says hello, but is not welcome yet
    let mut connection = platform.accept().await;
    connection.hear::<Hello>("hello").await;
    platform.gate.notify_one();
    loop {
        let event = soon(device.events.recv()).await.unwrap();
        if matches!(event, Event::TaskDone { .. }) {
            break;
        }
    }
    // a task may overtake the welcome
    connection.say(&task("t2", &model, &x)).await;
    connection.say(&welcome(60_000)).await;
    let done: TaskDone = connection.hear("taskDone").await;
    assert_eq!(done.task_id, "t1");
    let done: TaskDone = connection.hear("taskDone").await;
    assert_eq!(done.task_id, "t2");
}

#[tokio::test]
async fn a_connection_is_renewed_without_losing_anything() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut config = platform.config(dir.path());
    config.timings.renewal = Duration::from_millis(300)..Duration::from_millis(400);
    let mut device = Running::start(config);
    let (mut old, _) = platform.welcome().await;
    let mlp = Mlp::new([4, 8, 3]);
    let model = platform.model("mlp", &mlp.file());
    let (x, _) = mlp.example(1, 1);
    old.say(&task("t1", &model, &x)).await;
    old.hear::<TaskDone>("taskDone").await;
    let mut fresh = platform.accept().await;
    let hello: Hello = fresh.hear("hello").await;
    assert_eq!(hello.resume.as_deref(), Some(TOKEN));
    // the old one works until the new one is welcome, and what is on its way then still counts
    old.say(&task("t2", &model, &x)).await;
    let done: TaskDone = old.hear("taskDone").await;
    assert_eq!(done.task_id, "t2");
    fresh.say(&welcome(60_000)).await;
    old.say(&task("t3", &model, &x)).await;
    assert_eq!(old.text().await, None, "closed without a goodbye");
    drop(old);
    let mut again = Vec::new();
    while again.len() < 3 {
        let done: TaskDone = fresh.hear("taskDone").await;
        again.push(done.task_id);
    }
    again.sort();
    assert_eq!(again, ["t1", "t2", "t3"]);
    loop {
        let event = soon(device.events.recv()).await.unwrap();
        assert!(!matches!(event, Event::Lost { .. }), "{event:?}");
        if event == Event::Renewed {
            break;
        }
    }
}

#[tokio::test]
async fn a_wrong_key_ends_the_agent_with_a_sentence() {
    let platform = Platform::start().await;
    for (key, words) in
        [("wrong", "401"), ("no-devices", "scope `devices`"), ("two\nlines", "characters")]
    {
        let dir = tempfile::tempdir().unwrap();
        let mut config = platform.config(dir.path());
        config.api_key = key.to_owned().into();
        match Running::start(config).ended().await {
            Err(Error::Refused(message)) => assert!(message.contains(words), "{message}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_error_instead_of_a_welcome() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut device = Running::start(platform.config(dir.path()));
    let fault =
        |code: &str, message: &str| Fault { code: code.to_owned(), message: message.to_owned() };
    // trouble of the moment is tried again
    let mut connection = platform.accept().await;
    connection.say(&fault("INTERNAL_ERROR", "try later")).await;
    let event = soon(device.events.recv()).await.unwrap();
    assert!(
        matches!(&event, Event::Lost { reason, .. } if reason.contains("try later")),
        "{event:?}"
    );
    let mut connection = platform.accept().await;
    connection.say(&fault("VALIDATION_ERROR", "name: too long")).await;
    let error = device.ended().await.unwrap_err();
    assert!(error.to_string().contains("name: too long"), "{error}");
}

#[tokio::test]
async fn complaints_are_passed_on() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut device = Running::start(platform.config(dir.path()));
    let (mut connection, _) = platform.welcome().await;
    assert!(matches!(soon(device.events.recv()).await.unwrap(), Event::Connected { .. }));
    let (code, message) = ("VALIDATION_ERROR".to_owned(), "metrics: not a number".to_owned());
    connection.say(&Fault { code: code.clone(), message: message.clone() }).await;
    assert_eq!(soon(device.events.recv()).await.unwrap(), Event::Complaint { code, message });
}

#[tokio::test]
async fn wrong_configurations_are_explained() {
    let platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let good = platform.config(dir.path());
    let mut slots = good.clone();
    slots.slots = 0;
    let mut url = good.clone();
    url.url = "localhost:3000".to_owned();
    let mut place = good.clone();
    place.data_dir = dir.path().join("a-file");
    std::fs::write(&place.data_dir, "").unwrap();
    for (config, words) in [(slots, "1 to 1024"), (url, "http"), (place, "another data directory")]
    {
        let error = Agent::new(config).err().unwrap().to_string();
        assert!(error.contains(words), "{error}");
    }
    let _first = Agent::new(good.clone()).unwrap();
    let error = Agent::new(good).err().unwrap().to_string();
    assert!(error.contains("another device runs from"), "{error}");
}
