//! A device that is written by hand: it sees the secrets that devices are given.

use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use super::{Client, Method, Platform, Value, json, text};
use crate::support::mlp_case;

pub(super) struct ByHand(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl ByHand {
    /// Connects with the key in the address.
    pub(super) async fn connect(platform: &Platform, key: &str) -> Self {
        let url = format!("{}/ws?token={key}", platform.url.replace("http", "ws"));
        Self(connect_async(url).await.unwrap().0)
    }

    async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next message of this type.
    async fn hear(&mut self, kind: &str) -> Value {
        loop {
            let message = self.0.next().await.unwrap().unwrap();
            if let Message::Text(frame) = message {
                let frame: Value = serde_json::from_str(&frame).unwrap();
                assert_ne!(frame["type"], "error", "{frame}");
                if frame["type"] == kind {
                    return frame;
                }
            }
        }
    }

    /// Says hello; the session token.
    pub(super) async fn hello(&mut self, resume: Option<&str>) -> String {
        let capabilities =
            json!({ "formats": ["onnx"], "inference": true, "slots": 1, "max_model_mb": 9 });
        let hello = json!({
            "type": "hello", "uuid": "by-hand", "sdk_type": "python", "sdk_version": "1.0.0",
            "name": "by hand", "capabilities": capabilities, "share": "everyone", "resume": resume,
        });
        self.say(hello).await;
        text(&self.hear("welcome").await["session_token"]).to_owned()
    }

    /// The signature of the address of a model that it is to run, which it is told for its token.
    pub(super) async fn signature_of_a_model(
        &mut self,
        platform: &Platform,
        token: &str,
        model: &str,
    ) -> String {
        let body = json!({
            "model_id": model, "input": mlp_case().0, "async": true, "placement": "shared",
        });
        platform.client.post("/inference", body).await;
        let task = self.hear("taskRun").await;
        let (id, fence) = (text(&task["task_id"]), &task["fence"]);
        let device = Client::new(&platform.url, "x-sdk-token", token);
        let path = format!("/models/{model}/download?version=1&task={id}");
        let download = device.request(Method::GET, &path).send().await.unwrap();
        let url = download.headers()["location"].to_str().unwrap().to_owned();
        device.http.get(&url).send().await.unwrap().error_for_status().unwrap();
        let error = json!({ "code": "X", "message": "no", "retryable": false });
        self.say(json!({
            "type": "taskFailed", "task_id": id, "attempt": 1, "fence": fence, "error": error,
        }))
        .await;
        self.hear("taskAck").await;
        url.split("sig=").nth(1).unwrap().to_owned()
    }

    /// Answers its owner with this line.
    pub(super) async fn tells_its_log(&mut self, platform: &Platform, key: &str, line: &str) {
        let owner = Client::new(&platform.url, "x-api-key", key);
        let (_, list) = owner.get("/devices").await;
        let path = format!("/devices/{}/logs", text(&list["devices"][0]["id"]));
        let says = async {
            let pull = self.hear("logsPull").await;
            let time = "2026-01-01T00:00:00.000Z";
            let lines = json!([{ "time": time, "level": "info", "message": line }]);
            self.say(json!({ "type": "logs", "request_id": pull["request_id"], "lines": lines }))
                .await;
        };
        let (answer, ()) = tokio::join!(owner.get(&path), says);
        assert_eq!(answer.1["logs"][0]["message"], line, "{}", answer.1);
    }
}
