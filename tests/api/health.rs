//! `/health`

use reqwest::StatusCode;
use serde_json::Value;

use crate::{
    support::{Platform, answer, eventually},
    text,
};

#[tokio::test]
async fn health_answers_everybody_everywhere() {
    let platform = Platform::start();
    for path in ["/health", "/api/v1/health"] {
        let (status, health) =
            answer(platform.client.http.get(format!("{}{path}", platform.url))).await;
        assert_eq!(status, StatusCode::OK);
        text(&health["timestamp"]).parse::<jiff::Timestamp>().unwrap();
        assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
        insta::allow_duplicates! {
            insta::assert_json_snapshot!(health, {
                ".timestamp" => "[time]", ".version" => "[version]"
            }, @r#"
            {
              "status": "healthy",
              "timestamp": "[time]",
              "version": "[version]"
            }
            "#);
        }
    }
    let head = platform.client.http.head(format!("{}/health", platform.url)).send().await.unwrap();
    assert_eq!(head.status(), StatusCode::OK);
}

#[tokio::test]
async fn details_count_what_there_is() {
    let platform = Platform::without_own_device();
    platform.upload("mlp.onnx").await;
    let _device = platform.device_with("desk", &["--slots", "3"]).await;
    let health = eventually("the counts", || async {
        let (status, health) =
            answer(platform.client.http.get(format!("{}/health/detailed", platform.url))).await;
        assert_eq!(status, StatusCode::OK);
        let there = |service: &str, count: &str| health["services"][service][count] == 1;
        (there("model_store", "models") && there("websocket", "connections")).then_some(health)
    });
    let health: Value = health.await;
    insta::assert_json_snapshot!(health, { ".version" => "[version]" }, @r#"
    {
      "jobs": {
        "queued": 0,
        "running": 0
      },
      "resources": {
        "slots": 3,
        "slots_free": 3
      },
      "services": {
        "device_registry": {
          "devices": 1,
          "status": "healthy"
        },
        "job_manager": {
          "active_jobs": 0,
          "status": "healthy"
        },
        "model_store": {
          "models": 1,
          "status": "healthy"
        },
        "resource_pool": {
          "available": 3,
          "status": "healthy"
        },
        "websocket": {
          "connections": 1,
          "status": "healthy"
        }
      },
      "status": "healthy",
      "version": "[version]"
    }
    "#);
}
