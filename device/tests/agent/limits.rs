//! What a device does not take, and how much it keeps.

use std::{path::Path, time::Duration};

use protocol::socket::{DeclineReason, TaskDeclined, TaskDone, TaskFailed};

use crate::support::{
    onnx::{Mlp, assert_close},
    *,
};

#[tokio::test]
async fn what_is_too_much_is_declined() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut config = platform.config(dir.path());
    config.slots = 1;
    let _device = Running::start(config);
    let (mut connection, _) = platform.welcome().await;
    let mlp = Mlp::new([4, 8, 3]);
    let model = platform.model("gated", &mlp.file());
    let (x, y) = mlp.example(1, 1);
    for id in ["t1", "t2", "t3", "t4"] {
        connection.say(&task(id, &model, &x)).await;
    }
    // one slot and twice as many places behind it, none of which is free while the model is on its way
    let declined: TaskDeclined = connection.hear("taskDeclined").await;
    assert_eq!((declined.task_id.as_str(), declined.reason), ("t4", DeclineReason::Busy));

    let mut foreign = task("t5", &model, &x);
    foreign.model.format = "torchscript".to_owned();
    connection.say(&foreign).await;
    let declined: TaskDeclined = connection.hear("taskDeclined").await;
    assert_eq!((declined.task_id.as_str(), declined.reason), ("t5", DeclineReason::Unsupported));
    let mut huge = task("t6", &model, &x);
    huge.model.bytes = 17 << 20;
    connection.say(&huge).await;
    let declined: TaskDeclined = connection.hear("taskDeclined").await;
    assert_eq!((declined.task_id.as_str(), declined.reason), ("t6", DeclineReason::Unsupported));

    platform.gate.notify_one();
    let mut done = Vec::new();
    for _ in 0..3 {
        let result: TaskDone = connection.hear("taskDone").await;
        assert_close(&inline(&result)[0].tensor, &y);
        done.push(result.task_id);
    }
    done.sort();
    assert_eq!(done, ["t1", "t2", "t3"]);
    assert_eq!(platform.seen().len(), 1, "three tasks fetched one model");
    // there is room again
    connection.say(&task("t4", &model, &x)).await;
    connection.hear::<TaskDone>("taskDone").await;
}

#[tokio::test]
async fn a_task_that_is_cancelled_while_it_fetches_leaves_its_place_at_once() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut config = platform.config(dir.path());
    config.slots = 1;
    let _device = Running::start(config);
    let (mut connection, _) = platform.welcome().await;
    let mlp = Mlp::new([4, 8, 3]);
    let model = platform.model("gated", &mlp.file());
    let (x, _) = mlp.example(1, 1);
    for id in ["t1", "t2", "t3"] {
        connection.say(&task(id, &model, &x)).await;
    }
    connection.say(&cancel("t1")).await;
    for id in ["t4", "t5"] {
        connection.say(&task(id, &model, &x)).await;
    }
    let declined: TaskDeclined = connection.hear("taskDeclined").await;
    assert_eq!((declined.task_id.as_str(), declined.reason), ("t5", DeclineReason::Busy));
    // the model that it was first to ask for still comes, for the others
    platform.gate.notify_one();
    let mut done = Vec::new();
    for _ in 0..3 {
        done.push(connection.hear::<TaskDone>("taskDone").await.task_id);
    }
    done.sort();
    assert_eq!(done, ["t2", "t3", "t4"]);
}

/// Bytes in the agent's models, whole or on their way.
fn on_disk(home: &Path) -> u64 {
    let files = std::fs::read_dir(home.join("models")).unwrap();
    // one that is gone by now takes nothing
    files.filter_map(|file| Some(file.unwrap().metadata().ok()?.len())).sum()
}

/// Different models of 0.4 MB each.
fn large(platform: &Platform, name: &str, count: usize) -> Vec<(Mlp, protocol::socket::ModelRef)> {
    let model = |number| {
        let mlp = Mlp::new([100, 1000 + number, 1]);
        let model = platform.model(&format!("{name}-{number}"), &mlp.file());
        (mlp, model)
    };
    (0..count).map(model).collect()
}

#[tokio::test]
async fn models_take_turns_on_a_small_disk() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut config = platform.config(dir.path());
    (config.slots, config.cache_mb) = (8, 1);
    let _device = Running::start(config);
    let (mut connection, _) = platform.welcome().await;
    let models = large(&platform, "large", 10);
    for (number, (mlp, model)) in models.iter().enumerate() {
        connection.say(&task(&number.to_string(), model, &mlp.example(1, number).0)).await;
    }
    for _ in &models {
        let done: TaskDone = connection.hear("taskDone").await;
        connection.ack(&done.task_id).await;
        let bytes = on_disk(dir.path());
        assert!(bytes <= 1 << 20, "{bytes} bytes of models");
    }
}

#[tokio::test]
async fn a_model_without_room_fails_and_says_what_to_raise() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut config = platform.config(dir.path());
    (config.cache_mb, config.timings.room) = (1, Duration::ZERO);
    let _device = Running::start(config);
    let (mut connection, _) = platform.welcome().await;
    let models = large(&platform, "gated", 3);
    let run = |number: usize| {
        let (mlp, model) = &models[number];
        task(&format!("t{number}"), model, &mlp.example(1, 1).0)
    };
    for number in 0..2 {
        connection.say(&run(number)).await;
    }
    while platform.seen().len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    connection.say(&run(2)).await;
    let failed: TaskFailed = connection.hear("taskFailed").await;
    assert_eq!(failed.task_id, "t2");
    assert_eq!((failed.error.code.as_str(), failed.error.retryable), ("MODEL_UNAVAILABLE", true));
    let message = "model model_1@2 takes 0.4 MB, which the models in use do not leave of the device's 1 MB for models; raise its `--cache-mb`";
    assert_eq!(failed.error.message, message);
    assert_eq!(platform.seen().len(), 2, "it was not asked for");
}
