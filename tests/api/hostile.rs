//! Input that means harm: a refusal that says what to change, in little memory, and nothing stays.
//! What one request costs is measured on the platform's process, whatever came before it.

#![cfg(target_os = "linux")]

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    assert_refused, form,
    onnx::{FLOAT, chain, nested, unary, wide_weights},
    support::{Platform, answer, fixture},
    upload,
};

mod archive;

/// The most memory that a platform takes beyond what it took when it was idle, in kB.
const MAX_KB: u64 = 64 * 1024;

/// A platform whose memory is watched.
struct Watched {
    platform: Platform,
    idle_kb: u64,
}

impl Watched {
    async fn start() -> Self {
        let platform = Platform::without_own_device();
        // what every platform holds, before anything harmful came
        platform.upload("mlp.onnx").await;
        let idle_kb = memory(&platform, "VmRSS:");
        Self { platform, idle_kb }
    }

    /// Sends something harmful; what is answered. `what` is for people.
    async fn send(&self, what: &str, request: reqwest::RequestBuilder) -> (StatusCode, Value) {
        // the peak begins anew; this is the only effect
        std::fs::write(format!("/proc/{}/clear_refs", self.platform.process.id()), "5").unwrap();
        let sent = answer(request).await;
        let used = memory(&self.platform, "VmHWM:").saturating_sub(self.idle_kb);
        assert!(used <= MAX_KB, "{what}: {used} kB");
        sent
    }

    async fn refuse_model(&self, what: &str, name: &str, file: Vec<u8>, words: &[&str]) {
        let request = self.platform.client.request(Method::POST, "/models");
        let sent = self.send(what, request.multipart(form(name, file, &[]))).await;
        assert_refused(sent, 400, "VALIDATION_ERROR", words);
    }

    /// Only what was there before is there.
    async fn assert_nothing_stays(&self) {
        let (_, list) = self.platform.client.get("/models").await;
        assert_eq!(list["total"], 1, "{list}");
        let (_, health) = self.platform.client.get("/health/detailed").await;
        assert_eq!(health["jobs"], json!({ "queued": 0, "running": 0 }));
    }
}

/// A line of the process's status, in kB.
fn memory(platform: &Platform, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", platform.process.id()));
    let status = status.unwrap();
    let line = status.lines().find_map(|found| found.strip_prefix(line)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn models_that_are_bombs() {
    let watched = Watched::start().await;
    let weights = wide_weights(1_000_000_000);
    watched.refuse_model("a weight of 10⁹ numbers", "m.onnx", weights, &["model: "]).await;
    let deep = nested(10_000);
    watched.refuse_model("10 000 graphs in each other", "m.onnx", deep, &["model: "]).await;
    let external = fixture("external.onnx");
    watched
        .refuse_model("a path on this machine", "m.onnx", external, &["weights.onnx.data"])
        .await;
    let mut whole = fixture("cnn.onnx");
    whole.truncate(whole.len() / 2);
    watched.refuse_model("half a file", "m.onnx", whole, &["truncated"]).await;
    let bomb = archive::bomb(400 << 20);
    assert!(bomb.len() < 4 << 20, "{} bytes", bomb.len());
    for name in ["m.onnx", "m.pt"] {
        watched.refuse_model("a zip of 400 MB of zeros", name, bomb.clone(), &[]).await;
    }
    let many = archive::many(60_000);
    watched.refuse_model("a zip of 60 000 files", "m.pt", many, &[]).await;
    watched.assert_nothing_stays().await;
}

/// Whether it is taken or not: that a model is large on paper asks for no memory.
#[tokio::test]
async fn models_that_are_large_on_paper() {
    let watched = Watched::start().await;
    let request = || watched.platform.client.request(Method::POST, "/models");
    let wide = form("m.onnx", unary("Relu", FLOAT, 1_000_000_000), &[]);
    let sent = watched.send("10⁹ in a row", request().multipart(wide)).await;
    assert!(!sent.0.is_server_error(), "{}", sent.1);
    // a long one is a model like others, and takes what it takes
    let long = answer(request().multipart(form("m.onnx", chain(10_000), &[]))).await;
    assert!(!long.0.is_server_error(), "{}", long.1);
}

#[tokio::test]
async fn bodies_that_are_bombs() {
    let watched = Watched::start().await;
    let client = &watched.platform.client;
    let model = client.get("/models").await.1["models"][0]["id"].as_str().unwrap().to_owned();
    let input = |input: &str| format!(r#"{{"model_id":"{model}","input":{input}}}"#);
    let data = |data: &str| input(&format!(r#"{{"data":{data},"shape":[1,10]}}"#));
    let limit = 4 << 20;
    let nested = limit - 200;
    let bodies = [
        (
            "lists in each other",
            data(&format!("{}{}", "[".repeat(nested / 2), "]".repeat(nested / 2))),
        ),
        (
            "objects in each other",
            input(&format!("{}1{}", r#"{"a":"#.repeat(limit / 7), "}".repeat(limit / 7))),
        ),
        ("a list that does not end", data(&"[".repeat(nested))),
        ("two million numbers", data(&format!("[{}0]", "0,".repeat(nested / 2)))),
        ("a number of four million digits", data(&format!("[{}]", "9".repeat(nested)))),
        (
            "a shape of two million sizes",
            input(&format!(r#"{{"data":[1],"shape":[{}1]}}"#, "1,".repeat(nested / 2))),
        ),
        ("a text of escapes", data(&format!("\"{}\"", r"\u0000".repeat(nested / 6)))),
        (
            "many names",
            input(&format!(
                "{{{}\"z\":1}}",
                (0..300_000).map(|n| format!("\"{n}\":1,")).collect::<String>()
            )),
        ),
    ];
    for (what, body) in bodies {
        assert!(body.len() <= limit, "{what}: {}", body.len());
        let request = client.request(Method::POST, "/inference");
        let sent =
            watched.send(what, request.header("content-type", "application/json").body(body)).await;
        assert_refused(sent, 400, "VALIDATION_ERROR", &[]);
    }
    let large = || data(&"1".repeat(limit + 1));
    let request =
        client.request(Method::POST, "/inference").header("content-type", "application/json");
    assert_refused(
        watched.send("too large", request.body(large())).await,
        413,
        "PAYLOAD_TOO_LARGE",
        &["4 MB"],
    );
    // nothing is unpacked for a stranger
    let request = client
        .request(Method::POST, "/inference")
        .header("content-type", "application/json")
        .header("content-encoding", "gzip")
        .body(archive::bomb(100 << 20));
    assert_refused(watched.send("packed", request).await, 400, "VALIDATION_ERROR", &["body: "]);
    watched.assert_nothing_stays().await;
}

#[tokio::test]
async fn forms_that_are_bombs() {
    let watched = Watched::start().await;
    let client = &watched.platform.client;
    let send = |what: &'static str, body: String| {
        let request = client.request(Method::POST, "/models");
        let request = request.header("content-type", "multipart/form-data; boundary=b");
        watched.send(what, request.body(body))
    };
    let head = "--b\r\nContent-Disposition: form-data; name=\"";
    for (what, body) in [
        ("a head without an end", format!("{head}{}", "x".repeat(4 << 20))),
        ("a million headers", format!("{head}x\"\r\n{}", "a: b\r\n".repeat(600_000))),
        ("parts without content", format!("{head}x\"\r\n\r\n\r\n").repeat(70_000)),
        ("boundaries alone", "--b\r\n".repeat(800_000)),
        ("a boundary that never comes", "-".repeat(4 << 20)),
    ] {
        let (status, refused) = send(what, body).await;
        assert!(matches!(status.as_u16(), 400 | 413), "{what}: {status} {refused}");
    }
    let labels = json!(vec!["x"; 100_001]).to_string();
    let (status, refused) =
        upload(client, form("mlp.onnx", fixture("mlp.onnx"), &[("labels", &labels)])).await;
    assert!(status.is_client_error(), "{status} {refused}");
    watched.assert_nothing_stays().await;
}
