//! How a device keeps its connection, and how it leaves.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use dcmp_device::{Agent, Connection as State, Error, Event};
use protocol::socket::{
    Bye, DeclineReason, Drain, Fault, Hello, TaskDeclined, TaskDone, TaskFailed,
};
use support::{onnx::Mlp, *};

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
async fn a_draining_device_finishes_and_says_goodbye() {
    for by_platform in [false, true] {
        let mut platform = Platform::start().await;
        let dir = tempfile::tempdir().unwrap();
        let mut device = Running::start(platform.config(dir.path()));
        let (mut connection, _) = platform.welcome().await;
        let mlp = Mlp::new([4, 8, 3]);
        let model = platform.model("gated", &mlp.file());
        let (x, _) = mlp.example(1, 1);
        connection.say(&task("t1", &model, &x)).await;
        soon(device.status.wait_for(|status| status.in_hand == 1)).await.unwrap();
        if by_platform {
            connection.say(&Drain { reason: "maintenance".to_owned() }).await;
        } else {
            device.stop.drain();
        }
        soon(device.status.wait_for(|status| status.draining)).await.unwrap();
        connection.say(&task("t2", &model, &x)).await;
        let declined: TaskDeclined = connection.hear("taskDeclined").await;
        assert_eq!((declined.task_id.as_str(), declined.reason), ("t2", DeclineReason::Policy));
        platform.gate.notify_one();
        connection.hear::<TaskDone>("taskDone").await;
        connection.ack("t1").await;
        connection.hear::<Bye>("bye").await;
        assert_eq!(connection.text().await, None);
        drop(connection);
        let mut status = device.status.clone();
        let summary = device.ended().await.unwrap();
        assert_eq!((summary.done, summary.declined, summary.unacknowledged), (1, 1, 0));
        assert_eq!(status.borrow_and_update().connection, State::Closed);
    }
}

#[tokio::test]
async fn a_device_that_nobody_acknowledges_leaves_in_the_end() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut config = platform.config(dir.path());
    config.timings.last_acks = Duration::from_millis(50);
    let device = Running::start(config);
    let (mut connection, _) = platform.welcome().await;
    let mlp = Mlp::new([4, 8, 3]);
    let model = platform.model("mlp", &mlp.file());
    connection.say(&task("t1", &model, &mlp.example(1, 1).0)).await;
    connection.hear::<TaskDone>("taskDone").await;
    device.stop.drain();
    connection.hear::<Bye>("bye").await;
    assert_eq!(device.ended().await.unwrap().unacknowledged, 1);
}

#[tokio::test]
async fn stopping_at_once_waits_for_nothing() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut device = Running::start(platform.config(dir.path()));
    let (mut connection, _) = platform.welcome().await;
    let mlp = Mlp::new([4, 8, 3]);
    let model = platform.model("gated", &mlp.file());
    connection.say(&task("t1", &model, &mlp.example(1, 1).0)).await;
    soon(device.status.wait_for(|status| status.in_hand == 1)).await.unwrap();
    device.stop.drain();
    device.stop.now();
    let bye: Bye = connection.hear("bye").await;
    assert_eq!(bye.reason, "stopped");
    assert_eq!(device.ended().await.unwrap().done, 0);
}

#[tokio::test]
async fn stopping_works_without_a_platform() {
    let platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut config = platform.config(dir.path());
    // a port that nobody listens on: it was free a moment ago
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    config.url = format!("ws://{free}/ws");
    config.timings.first_retry = Duration::from_secs(3600);
    let mut device = Running::start(config);
    let event = soon(device.events.recv()).await.unwrap();
    assert!(
        matches!(&event, Event::Lost { reason, .. } if reason.contains("refused")),
        "{event:?}"
    );
    device.stop.drain();
    device.ended().await.unwrap();
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
