//! What a device tells of itself, and when.

use std::time::Duration;

use protocol::socket::{Heartbeat, Hello, TaskDone, TaskFailed};

use crate::support::{onnx::Mlp, *};

#[tokio::test]
async fn a_working_device_sends_heartbeats() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let _device = Running::start(platform.config(dir.path()));
    let mut connection = platform.accept().await;
    connection.hear::<Hello>("hello").await;
    connection.say(&welcome(20)).await;
    let mlp = Mlp::new([4, 8, 3]);
    let (x, _) = mlp.example(1, 1);
    let model = platform.model("mlp", &mlp.file());
    connection.say(&task("t1", &model, &x)).await;
    connection.hear::<TaskDone>("taskDone").await;
    let busy = platform.model("gated", &Mlp::new([4, 9, 3]).file());
    connection.say(&task("t2", &busy, &x)).await;
    let heartbeat: Heartbeat = connection.hear("heartbeat").await;
    assert_eq!((heartbeat.slots_free, heartbeat.models), (1, vec![model.checksum]));
    assert!(heartbeat.metrics.memory_mb > 0.0);
}

#[tokio::test]
async fn a_device_that_is_idle_again_says_so_and_then_nothing() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let _device = Running::start(platform.config(dir.path()));
    let mut connection = platform.accept().await;
    connection.hear::<Hello>("hello").await;
    connection.say(&welcome(20)).await;
    let mlp = Mlp::new([4, 8, 3]);
    let (x, _) = mlp.example(1, 1);
    let model = platform.model("gated", &mlp.file());
    connection.say(&task("t1", &model, &x)).await;
    let heartbeat: Heartbeat = connection.hear("heartbeat").await;
    assert_eq!((heartbeat.slots_free, heartbeat.models), (1, vec![]));
    platform.gate.notify_one();
    connection.hear::<TaskDone>("taskDone").await;
    let heartbeat: Heartbeat = connection.hear("heartbeat").await;
    assert_eq!((heartbeat.slots_free, heartbeat.models), (2, vec![model.checksum.clone()]));
    // time for many more
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut wrong = x.clone();
    wrong.name = "z".to_owned();
    connection.say(&task("t2", &model, &wrong)).await;
    let next: TaskFailed = serde_json::from_str(&connection.text().await.unwrap()).unwrap();
    assert_eq!(next.task_id, "t2");
}

#[tokio::test]
async fn a_resumed_session_is_told_how_it_is_now() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let _device = Running::start(platform.config(dir.path()));
    drop(platform.welcome().await);
    // the platform may still believe what it was told before
    let mut connection = platform.accept().await;
    connection.hear::<Hello>("hello").await;
    connection.say(&welcome(20)).await;
    let heartbeat: Heartbeat = connection.hear("heartbeat").await;
    assert_eq!(heartbeat.slots_free, 2);
}
