//! What a device does with tasks, seen from the platform.

use crate::support::{
    onnx::{Is, Mlp, assert_close, file},
    *,
};
use dcmp_device::Event;
use protocol::{
    socket::{Hello, TaskDone, TaskFailed, Welcome},
    tensor::{from_safetensors, to_safetensors},
};

#[tokio::test]
async fn a_task_gives_the_right_numbers() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut device = Running::start(platform.config(dir.path()));
    let (mut connection, hello) = platform.welcome().await;
    assert_eq!(hello.sdk_type, "rust");
    assert_eq!(hello.name.as_deref(), Some("tester"));
    assert_eq!((hello.capabilities.slots, hello.capabilities.max_model_mb), (2, 16));
    assert_eq!(hello.capabilities.formats, ["onnx"]);
    assert!(hello.hardware.cores > 0 && hello.resume.is_none());

    let mlp = Mlp::new([10, 32, 2]);
    let model = platform.model("mlp", &mlp.file());
    for (id, rows) in [("t1", 1), ("t2", 3), ("t3", 1)] {
        let (x, y) = mlp.example(rows, rows);
        connection.say(&task(id, &model, &x)).await;
        let done: TaskDone = connection.hear("taskDone").await;
        assert_eq!((done.task_id.as_str(), done.attempt), (id, 1));
        assert_eq!(done.fence, format!("fence-{id}"));
        assert_eq!(inline(&done)[0].name, "y");
        assert_close(&inline(&done)[0].tensor, &y);
        assert_eq!(
            (done.usage.bytes_in, done.usage.bytes_out),
            (rows as u64 * 40, rows as u64 * 8)
        );
        assert!(done.timings_ms.compute > 0.0);
        connection.ack(id).await;
    }
    let status = device.status.wait_for(|status| status.done == 3 && status.unacknowledged == 0);
    let status = soon(status).await.unwrap().clone();
    assert_eq!((status.models_loaded, status.in_hand, status.failed), (1, 0, 0));
    assert!(status.last_latency_ms.is_some() && status.cached_bytes == model.bytes);
    assert_eq!(platform.seen().len(), 1, "fetched once");
    let told: Vec<Event> = std::iter::from_fn(|| device.events.try_recv().ok()).collect();
    assert!(
        matches!(&told[0], Event::Connected { device_id, resumed: false } if device_id == "dev_1")
    );
    assert!(matches!(&told[1], Event::ModelFetched { bytes, .. } if *bytes == model.bytes));
    assert!(
        told[2..].iter().all(|event| matches!(event, Event::TaskDone { .. })) && told.len() == 5
    );
}

#[tokio::test]
async fn many_at_once_are_all_right() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut config = platform.config(dir.path());
    config.slots = 64;
    let _device = Running::start(config);
    let (mut connection, _) = platform.welcome().await;
    let mlps = [Mlp::new([10, 32, 2]), Mlp::new([4, 8, 3])];
    let models = [
        platform.model("one", &mlps[0].file()),
        platform.model("other", &file(mlps[1].graph(|| Is(1)))),
    ];
    for round in 0..20 {
        let mut expected = std::collections::HashMap::new();
        for k in 0..100 {
            let (x, y) = mlps[k % 2].example(1, round * 100 + k);
            let id = format!("{round}-{k}");
            connection.say(&task(&id, &models[k % 2], &x)).await;
            expected.insert(id, y);
        }
        while !expected.is_empty() {
            let done: TaskDone = connection.hear("taskDone").await;
            assert_close(&inline(&done)[0].tensor, &expected.remove(&done.task_id).unwrap());
            connection.ack(&done.task_id).await;
        }
    }
}

#[tokio::test]
async fn large_inputs_and_outputs_go_by_url() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let _device = Running::start(platform.config(dir.path()));
    let (mut connection, _) = platform.welcome().await;
    let mlp = Mlp::new([10, 8, 2]);
    let model = platform.model("mlp", &mlp.file());
    let (x, y) = mlp.example(5000, 1);
    let inputs = to_safetensors(std::slice::from_ref(&x));
    platform.files.set("inputs", inputs.clone());

    let mut run = task("t1", &model, &x);
    run.inputs = blob(Some(platform.url("inputs")), &inputs);
    run.outputs_url = Some(platform.url("outputs"));
    connection.say(&run).await;
    let done: TaskDone = connection.hear("taskDone").await;
    let stored = platform.files.get("outputs").unwrap();
    assert_eq!(done.outputs, blob(None, &stored));
    assert_close(&from_safetensors(&stored).unwrap()[0].tensor, &y);

    // nowhere to store them
    run.task_id = "t2".to_owned();
    run.outputs_url = None;
    connection.say(&run).await;
    let failed: TaskFailed = connection.hear("taskFailed").await;
    assert_eq!((failed.error.code.as_str(), failed.error.retryable), ("OUTPUTS_TOO_LARGE", false));
    assert!(failed.error.message.contains("outputs_url"));

    // changed on the way
    run.task_id = "t3".to_owned();
    run.inputs = blob(Some(platform.url("inputs")), b"something else");
    connection.say(&run).await;
    let failed: TaskFailed = connection.hear("taskFailed").await;
    assert_eq!((failed.error.code.as_str(), failed.error.retryable), ("INPUTS_UNAVAILABLE", true));
}

#[tokio::test]
async fn cancelled_work_is_not_heard_of() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let _device = Running::start(platform.config(dir.path()));
    let (mut connection, _) = platform.welcome().await;
    let mlp = Mlp::new([4, 8, 3]);
    let model = platform.model("gated", &mlp.file());
    let (x, _) = mlp.example(1, 1);
    // on its way; and one whose cancellation comes first
    connection.say(&task("t1", &model, &x)).await;
    connection.say(&cancel("t1")).await;
    connection.say(&cancel("t2")).await;
    connection.say(&task("t2", &model, &x)).await;
    connection.say(&task("t3", &model, &x)).await;
    platform.gate.notify_one();
    let done: TaskDone = connection.hear("taskDone").await;
    assert_eq!(done.task_id, "t3");
    // cancelled after its result: it is not sent again
    connection.say(&cancel("t3")).await;
    drop(connection);
    let (mut connection, _) = platform.welcome().await;
    connection.say(&task("t4", &model, &x)).await;
    let done: TaskDone = connection.hear("taskDone").await;
    assert_eq!(done.task_id, "t4");
}

#[tokio::test]
async fn a_task_that_comes_twice_runs_once() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let device = Running::start(platform.config(dir.path()));
    let (mut connection, _) = platform.welcome().await;
    let mlp = Mlp::new([4, 8, 3]);
    let model = platform.model("gated", &mlp.file());
    let (x, _) = mlp.example(1, 1);
    let run = task("t1", &model, &x);
    connection.say(&run).await;
    connection.say(&run).await;
    platform.gate.notify_one();
    let first = connection.text().await.unwrap();
    // before it is acknowledged the same result comes again, afterwards nothing does
    connection.say(&run).await;
    assert_eq!(connection.text().await.unwrap(), first);
    connection.ack("t1").await;
    connection.say(&run).await;
    connection.say(&task("t2", &model, &x)).await;
    let done: TaskDone = connection.hear("taskDone").await;
    assert_eq!(done.task_id, "t2");
    let mut status = device.status.clone();
    soon(status.wait_for(|status| status.done == 2)).await.unwrap();
}

#[tokio::test]
async fn failures_say_what_and_whether_to_try_elsewhere() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let _device = Running::start(platform.config(dir.path()));
    let (mut connection, _) = platform.welcome().await;
    let mlp = Mlp::new([4, 8, 3]);
    let model = platform.model("mlp", &mlp.file());
    let (x, _) = mlp.example(1, 1);

    let mut runs = Vec::new();
    let mut swapped = model.clone();
    swapped.checksum = checksum(b"another model");
    runs.push((swapped, "MODEL_CHECKSUM", true, "instead of"));
    let mut missing = platform.model("x", b"some bytes");
    missing.url = Some(platform.url("nothing"));
    runs.push((missing, "MODEL_UNAVAILABLE", true, "404"));
    let mut path = model.clone();
    path.checksum = "sha256:../../../etc/passwd".to_owned();
    runs.push((path, "MODEL_UNAVAILABLE", false, "64 hex digits"));
    let mut longer = platform.model("longer", &[1; 100]);
    longer.bytes = 99;
    runs.push((longer, "MODEL_UNAVAILABLE", true, "longer than 99 bytes"));
    runs.push((platform.model("text", b"hello, world"), "MODEL_UNREADABLE", false, "not an ONNX"));
    for (number, (model, code, retryable, words)) in runs.into_iter().enumerate() {
        connection.say(&task(&format!("m{number}"), &model, &x)).await;
        let failed: TaskFailed = connection.hear("taskFailed").await;
        assert_eq!((failed.error.code.as_str(), failed.error.retryable), (code, retryable));
        assert!(failed.error.message.contains(words), "{}", failed.error.message);
    }

    let mut shape = x.clone();
    shape.tensor.shape = vec![2, 2];
    connection.say(&task("t1", &model, &shape)).await;
    let failed: TaskFailed = connection.hear("taskFailed").await;
    assert_eq!(failed.error.code, "INPUTS_INVALID");
    assert_eq!(failed.error.message, "input `x`: the model takes shape [N, 4], not [2, 2]");

    let late = platform.model("gated", &Mlp::new([4, 9, 3]).file());
    let mut run = task("t2", &late, &x);
    run.deadline_ms = 1;
    connection.say(&run).await;
    let failed: TaskFailed = connection.hear("taskFailed").await;
    assert_eq!((failed.error.code.as_str(), failed.error.retryable), ("DEADLINE", false));

    // a tensor that is not as long as it says
    let text = serde_json::to_string(&task("t3", &model, &x)).unwrap().replace("[1,4]", "[1,5]");
    connection.0.send(axum::extract::ws::Message::text(text)).await.unwrap();
    let failed: TaskFailed = connection.hear("taskFailed").await;
    assert_eq!((failed.task_id.as_str(), failed.error.code.as_str()), ("t3", "MESSAGE_INVALID"));

    // noise is passed over, and work goes on
    for noise in [
        "",
        "{}",
        "[1]",
        "{\"type\":\"fashion\"}",
        "{\"type\":\"taskRun\"}",
        "{\"type\":\"taskAck\"}",
    ] {
        connection.0.send(axum::extract::ws::Message::text(noise)).await.unwrap();
    }
    connection.say(&task("t4", &model, &x)).await;
    connection.hear::<TaskDone>("taskDone").await;
}

#[tokio::test]
async fn a_model_without_url_is_asked_for_with_the_session_token() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let _device = Running::start(platform.config(dir.path()));
    let (mut connection, _) = platform.welcome().await;
    let mlp = Mlp::new([4, 8, 3]);
    let mut model = platform.model("presigned", &mlp.file());
    model.url = None;
    let (x, y) = mlp.example(1, 1);
    connection.say(&task("t1", &model, &x)).await;
    let done: TaskDone = connection.hear("taskDone").await;
    assert_close(&inline(&done)[0].tensor, &y);
    let route = "GET /api/v1/models/model_1/download?version=2&task=t1".to_owned();
    let expected =
        [(route, Some(TOKEN.to_owned())), ("GET /files/presigned?sig=1".to_owned(), None)];
    assert_eq!(platform.seen(), expected);
}

#[tokio::test]
async fn a_model_is_asked_for_where_the_welcome_says() {
    let (mut gateway, api) = (Platform::start().await, Platform::start().await);
    let dir = tempfile::tempdir().unwrap();
    let _device = Running::start(gateway.config(dir.path()));
    let mut connection = gateway.accept().await;
    connection.hear::<Hello>("hello").await;
    let api_url = Some(format!("http://{}", api.address));
    connection.say(&Welcome { api_url, ..welcome(60_000) }).await;
    let mlp = Mlp::new([4, 8, 3]);
    let mut model = api.model("presigned", &mlp.file());
    model.url = None;
    let (x, y) = mlp.example(1, 1);
    connection.say(&task("t1", &model, &x)).await;
    let done: TaskDone = connection.hear("taskDone").await;
    assert_close(&inline(&done)[0].tensor, &y);
    let (route, token) = api.seen().swap_remove(0);
    assert_eq!(route, "GET /api/v1/models/model_1/download?version=2&task=t1");
    assert_eq!(token.as_deref(), Some(TOKEN));
    assert_eq!(gateway.seen(), []);
}

#[tokio::test]
async fn models_outlive_the_agent_on_disk() {
    let mut platform = Platform::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mlp = Mlp::new([4, 8, 3]);
    let model = platform.model("mlp", &mlp.file());
    let (x, _) = mlp.example(1, 1);
    let mut names = Vec::new();
    for id in ["t1", "t2"] {
        let device = Running::start(platform.config(dir.path()));
        let (mut connection, hello) = platform.welcome().await;
        names.push(hello.uuid);
        connection.say(&task(id, &model, &x)).await;
        connection.hear::<TaskDone>("taskDone").await;
        device.stop.now();
        device.ended().await.unwrap();
    }
    assert_eq!(names[0], names[1]);
    assert_eq!(platform.seen().len(), 1);
}
