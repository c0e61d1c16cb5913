//! No secret is stored in clear or logged, wherever a caller put it.

use reqwest::Method;
use serde_json::json;

use crate::{
    files,
    support::{ADMIN, Client, KEY, Options, Platform, answer, mlp_case},
    text,
};

/// Keys that nobody has, sent all the same.
const WRONG: [&str; 2] =
    ["dcmp_thisKeyIsWrongAndPlanted0000000", "dcmpadm_thisOneIsPlantedToo00000"];

/// Stored in clear, so that the search is seen to find what is there.
const OPEN: &str = "a name that is no secret";

#[tokio::test]
async fn secrets_stay_out_of_the_log_and_the_store() {
    let options = Options { log: Some("trace"), ..Options::default() };
    let mut platform = Platform::with(options);
    let (_, customer) = platform.admin.post("/admin/customers", json!({ "name": OPEN })).await;
    let keys = format!("/admin/customers/{}/keys", text(&customer["id"]));
    let repeatable = || {
        let request = platform.admin.request(Method::POST, &keys);
        answer(request.header("Idempotency-Key", "k").json(&json!({})))
    };
    let created = text(&repeatable().await.1["secret"]).to_owned();
    repeatable().await;
    let secrets = [KEY, ADMIN, &created, WRONG[0], WRONG[1]];

    for secret in secrets {
        for header in ["x-api-key", "x-admin-key", "x-sdk-token", "authorization"] {
            let client = Client::new(&platform.url, header, secret);
            for path in ["/models", "/admin/customers", "/models/model_1/download", "/nothing"] {
                client.get(path).await;
            }
            client.post("/inference", json!({ "model_id": "model_1", "input": {} })).await;
            client.upload_bytes("broken.onnx", b"broken".to_vec()).await;
        }
        // where no key belongs
        for path in [format!("/models/{secret}"), format!("/devices?cursor={secret}")] {
            platform.client.get(&path).await;
        }
        let model = json!({ "model_id": secret, "input": { "data": [secret], "shape": [1] } });
        platform.client.post("/inference", model).await;
        let socket = platform.client.http.get(format!("{}/ws?token={secret}", platform.url));
        answer(socket).await;
        let socket = platform.client.http.get(format!("{}/ws?token={secret}", platform.url));
        let upgrade = socket
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        drop(upgrade.send().await);
    }
    // and a day's work: a device, a model, an answer, an `Idempotency-Key`
    let device = platform.device("desk").await;
    let model = platform.upload("mlp.onnx").await;
    let body = json!({ "model_id": model, "input": mlp_case().0 });
    let request = platform.client.request(Method::POST, "/inference");
    let (status, job) =
        answer(request.header("Idempotency-Key", created.as_str()).json(&body)).await;
    assert_eq!(status, 200, "{job}");
    let device_said = device.process.said();
    drop(device);
    platform.process.end();

    let said = platform.process.said();
    assert!(said.lines().count() > 20, "it was to log everything: {said}");
    // the one line that tells people their key
    let announced = format!("API key    {KEY}");
    assert_eq!(said.matches(&announced).count(), 1, "{said}");
    let said = said.replace(&announced, "");
    for secret in secrets {
        assert!(!said.contains(secret), "{secret} is in the log:\n{}", around(&said, secret));
        assert!(!device_said.contains(secret), "{secret} is in the device's log");
    }
    let mut found_open = false;
    for path in files(&platform.data) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if matches!(name, "client.json" | "secret") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        found_open |= has(OPEN);
        for secret in secrets {
            assert!(!has(secret), "{secret} is in {}", path.display());
        }
    }
    assert!(found_open, "the store keeps its texts in a form that this search does not read");
}

/// The lines that hold a text.
fn around(said: &str, text: &str) -> String {
    said.lines().filter(|line| line.contains(text)).take(3).collect::<Vec<_>>().join("\n")
}
