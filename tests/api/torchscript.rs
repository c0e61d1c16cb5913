//! TorchScript: accepted by its form alone, and run only by devices that declare it.

use reqwest::StatusCode;
use serde_json::json;

use crate::{
    assert_refused, files, form,
    support::{Platform, fixture},
    text, upload,
};

const SHAPES: [(&str, &str); 2] = [("input_shape", "[null, 10]"), ("output_shape", "[null, 2]")];

#[tokio::test]
async fn a_genuine_file_waits_for_a_device_that_declares_it() {
    // with an own device, which runs only ONNX
    let platform = Platform::start();
    let genuine = || fixture("torchscript/genuine.pt");
    let sent = upload(&platform.client, form("net.pt", genuine(), &[])).await;
    assert_refused(sent, 400, "VALIDATION_ERROR", &["input_shape", "output_shape", "[null, 10]"]);
    let sent = upload(&platform.client, form("net.pt", genuine(), &SHAPES[..1])).await;
    assert_refused(sent, 400, "VALIDATION_ERROR", &["output_shape"]);
    let (status, model) = upload(&platform.client, form("net.pt", genuine(), &SHAPES)).await;
    assert_eq!(status, StatusCode::CREATED, "{model}");
    assert_eq!(model["format"], "torchscript");
    assert_eq!(model["input_shape"], json!([null, 10]));
    assert_eq!(model["outputs"][0]["dtype"], "float32");
    assert_eq!(model["profile"], json!(null));
    assert!(text(&model["warnings"][0]).contains("not tried at upload"), "{model}");
    let body =
        json!({ "model_id": model["id"], "input": { "data": vec![0.5; 10], "shape": [1, 10] } });
    let sent = platform.client.post("/inference", body).await;
    assert_refused(sent, 503, "NO_DEVICES", &["`torchscript`", "torch.onnx.export"]);
}

#[tokio::test]
async fn files_that_mean_harm() {
    let platform = Platform::without_own_device();
    for (name, words) in [
        ("reduce.pt", ["data.pkl", "`posix.system`"]),
        ("stack_global.pt", ["data.pkl", "protocol 2"]),
        ("nested.pt", ["more.zip", "an archive itself"]),
        ("bomb.pt", ["bomb.py", "20971520 bytes"]),
        ("state_dict.pt", ["torch.save", "torch.jit.script"]),
    ] {
        let file = fixture(&format!("torchscript/{name}"));
        let sent = upload(&platform.client, form(name, file, &SHAPES)).await;
        assert_refused(sent, 400, "VALIDATION_ERROR", &words);
    }
    let sent = upload(&platform.client, form("net.pt", fixture("mlp.onnx"), &SHAPES)).await;
    assert_refused(sent, 400, "VALIDATION_ERROR", &["not a TorchScript file"]);
    let (_, list) = platform.client.get("/models").await;
    assert_eq!(list["total"], 0);
    assert!(files(&platform.data.join("blobs")).is_empty());
}
