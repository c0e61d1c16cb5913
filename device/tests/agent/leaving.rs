//! How a device leaves.

use std::time::Duration;

use dcmp_device::{Connection as State, Event};
use protocol::socket::{Bye, DeclineReason, Drain, Heartbeat, Hello, TaskDeclined, TaskDone};

use tokio::sync::broadcast::error::RecvError;

use crate::support::{onnx::Mlp, *};

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
        // told at once, long before a heartbeat is due, so that nothing more is sent
        let heartbeat: Heartbeat = connection.hear("heartbeat").await;
        assert_eq!(heartbeat.slots_free, 0);
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
    // nor does anything go on behind it: nobody is left to tell of events
    while soon(device.events.recv()).await != Err(RecvError::Closed) {}
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
async fn a_draining_device_that_reconnects_still_takes_nothing() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut device = Running::start(platform.config(dir.path()));
    let (mut connection, _) = platform.welcome().await;
    let mlp = Mlp::new([4, 8, 3]);
    let model = platform.model("gated", &mlp.file());
    connection.say(&task("t1", &model, &mlp.example(1, 1).0)).await;
    soon(device.status.wait_for(|status| status.in_hand == 1)).await.unwrap();
    drop(connection);
    device.stop.drain();
    let (mut connection, _) = platform.welcome().await;
    let heartbeat: Heartbeat = connection.hear("heartbeat").await;
    assert_eq!(heartbeat.slots_free, 0);
}

#[tokio::test]
async fn a_device_without_a_connection_ends_when_its_work_does() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut config = platform.config(dir.path());
    (config.timings.first_retry, config.timings.longest_retry) =
        (Duration::from_secs(1 << 30), Duration::from_secs(1 << 30));
    config.timings.last_acks = Duration::from_millis(50);
    let mut device = Running::start(config);
    let (mut connection, _) = platform.welcome().await;
    let mlp = Mlp::new([4, 8, 3]);
    let model = platform.model("gated", &mlp.file());
    connection.say(&task("t1", &model, &mlp.example(1, 1).0)).await;
    soon(device.status.wait_for(|status| status.in_hand == 1)).await.unwrap();
    drop(connection);
    soon(device.status.wait_for(|status| status.connection == State::Waiting)).await.unwrap();
    device.stop.drain();
    soon(device.status.wait_for(|status| status.draining)).await.unwrap();
    platform.gate.notify_one();
    let summary = device.ended().await.unwrap();
    assert_eq!((summary.done, summary.unacknowledged), (1, 1));
}

#[tokio::test]
async fn a_device_that_waits_for_its_welcome_can_be_asked_to_end() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut config = platform.config(dir.path());
    config.timings.welcome = Duration::from_secs(3600);
    let device = Running::start(config);
    let mut connection = platform.accept().await;
    connection.hear::<Hello>("hello").await;
    device.stop.drain();
    assert_eq!(device.ended().await.unwrap().done, 0);
}
