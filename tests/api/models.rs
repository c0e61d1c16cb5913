//! `/models`

use reqwest::StatusCode;

use crate::support::Platform;

#[tokio::test]
async fn an_uploaded_model_is_shown_listed_and_deleted() {
    let platform = Platform::start();
    let id = platform.upload("mlp.onnx").await;
    let (status, model) = platform.client.get(&format!("/models/{id}")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(model["name"], "mlp");
    let (_, list) = platform.client.get("/models").await;
    assert_eq!(list["total"], 1);
    assert_eq!(list["models"][0], model);
    let (status, _) = platform.client.delete(&format!("/models/{id}")).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let (status, error) = platform.client.get(&format!("/models/{id}")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(error["error"]["code"], "NO_MODEL");
}
