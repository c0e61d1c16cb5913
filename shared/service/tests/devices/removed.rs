//! What goes with a job that is removed.

use ports::{Condition, Key, Write};
use protocol::{
    socket::{Blob, Payload},
    tensor::to_safetensors,
};

use crate::support::{Platform, done, row};

#[tokio::test]
async fn the_files_of_a_job_go_with_it() {
    let platform = Platform::start().await;
    let mut device = platform.device("one").await;
    let model = platform.model().await;
    // too much for the job's item
    let job = platform.submit_rows(&model, 1000).await;
    let task = device.task().await;
    let file = to_safetensors(&row(&[1.0, 2.0]));
    let announced = format!("outputs/{}/{}", task.task_id, task.fence);
    let blob = Blob {
        url: None,
        checksum: ports::Checksum::of(&file).to_string(),
        bytes: file.len() as u64,
    };
    platform.app.ports.blobs.put(&announced, file.clone()).await.unwrap();
    assert!(device.done(done(&task, Payload::Blob(blob))).await);
    // by its URL, which is still good
    platform.app.ports.blobs.put(&announced, file).await.unwrap();
    let stored = platform.job(&job).await;
    let domain::job::Output::Blob(result) = stored.outcome.unwrap().result else {
        panic!("a file")
    };
    let domain::job::Input::Blob(input) = stored.input else { panic!("a file") };
    let files = [announced, result.key, input.key];
    for key in &files {
        assert!(platform.has_file(key).await, "{key}");
    }
    platform.fold().await;
    assert!(platform.has_file(&files[1]).await);

    let gone = Write::delete(Key::new(format!("JOB#{job}"), "HEAD"), Condition::Exists);
    platform.app.ports.records.write(gone).await.unwrap();
    platform.fold().await;
    for key in &files {
        assert!(!platform.has_file(key).await, "{key}");
    }
}

#[tokio::test]
async fn a_row_beside_a_job_goes_when_the_job_is_gone() {
    let platform = Platform::start().await;
    let mut device = platform.device("one").await;
    let model = platform.model().await;
    let job = platform.submit(&model).await;
    let task = device.task().await;
    assert!(device.done(done(&task, Payload::Inline(row(&[1.0; 500])))).await);
    let row = platform.get(&format!("JOB#{job}"), &format!("R#{}", task.fence)).await.unwrap();
    let row: serde_json::Value = row.decode().unwrap();
    let expires_at = row["expires_at"].as_u64().unwrap();
    let kept = platform.job(&job).await.expires_at;
    assert!((kept..kept + 2 * 24 * 3600).contains(&expires_at), "{expires_at}, {kept}");
}
