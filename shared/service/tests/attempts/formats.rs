//! Which devices run which formats.

use std::sync::Arc;

use dcmp_service::{
    Error,
    idempotency::Commit,
    models::{self, About, Given, Upload},
};
use serde_json::json;

use crate::support::{Gate, Platform, hello, rows};

/// A TorchScript model with two numbers in.
async fn torchscript(platform: &Platform) -> String {
    let given =
        Given { input_shape: Some(vec![None, Some(2)]), output_shape: Some(vec![None, None]) };
    let upload = Upload {
        bytes: "bytes".into(),
        file_name: Some("net.pt".to_owned()),
        format: None,
        given,
        version_of: None,
        about: About::default(),
    };
    let commit = Commit::alone();
    models::upload(&platform.app, &platform.customer, upload, commit).await.unwrap().id
}

#[tokio::test]
async fn torchscript_goes_only_to_devices_that_declare_it() {
    // with an own device, which does not
    let platform = Platform::with_engine(&Arc::new(Gate::new(1))).await;
    let model = torchscript(&platform).await;
    let mut desk = platform.device("desk").await;
    match platform.infer(json!({ "model_id": model, "input": rows(1) })).await {
        Err(Error::NoDevices(message)) => assert!(message.contains("`torchscript`"), "{message}"),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("something ran it"),
    }
    let mut capable = hello("capable");
    capable.capabilities.formats = vec!["torchscript".to_owned()];
    let mut capable = platform.device_with(&platform.key, capable).await;
    platform.submit(&model).await;
    let task = capable.task().await;
    assert_eq!(task.model.format, "torchscript");
    assert!(desk.hears_nothing());
}
