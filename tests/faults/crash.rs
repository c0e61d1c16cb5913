//! The platform is killed under load: what was acknowledged is there after the restart.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use reqwest::StatusCode;

use crate::support::{Platform, assert_close, mlp_case};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_that_was_given_is_there_after_a_crash() {
    let mut platform = Platform::start();
    let model = platform.upload("mlp.onnx").await;
    let (input, expected) = mlp_case();
    for _ in 0..3 {
        let answered = Arc::new(Mutex::new(Vec::new()));
        let callers: Vec<_> = (0..8)
            .map(|_| {
                let (client, model, input) =
                    (platform.client.clone(), model.clone(), input.clone());
                let answered = answered.clone();
                tokio::spawn(async move {
                    let body = serde_json::json!({ "model_id": model, "input": input });
                    // until the platform is gone
                    while let Ok(response) =
                        client.request(reqwest::Method::POST, "/inference").json(&body).send().await
                    {
                        let Ok(job) = response.json::<serde_json::Value>().await else { return };
                        answered.lock().unwrap().push(job["job_id"].as_str().unwrap().to_owned());
                    }
                })
            })
            .collect();
        let enough = || answered.lock().unwrap().len() >= 200;
        while !enough() && !callers.iter().all(|caller| caller.is_finished()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(enough(), "the callers gave up: {}", platform.process.said());
        platform.process.kill();
        for caller in callers {
            caller.await.unwrap();
        }
        platform.restart();
        let answered = answered.lock().unwrap().clone();
        for job in answered {
            let (status, job) = platform.client.get(&format!("/inference/{job}")).await;
            assert_eq!(status, StatusCode::OK, "{job}");
            assert_eq!(job["status"], "completed", "{job}");
            assert_close(&job["result"], &expected);
        }
    }
    assert_eq!(platform.process.end(), Some(0), "{}", platform.process.said());
}
