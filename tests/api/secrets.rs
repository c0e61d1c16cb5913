//! No secret is stored in clear or logged, wherever a caller put it: twenty are planted, and all that the
//! platform, a device and the command log at their most talkative is searched for them.

use std::process::{Command, Stdio};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    files, form,
    support::{ADMIN, Client, DCMP, Device, KEY, Options, Platform, answer, fixture, mlp_case},
    text, upload,
};

mod by_hand;

use by_hand::ByHand;

/// Keys that nobody has, sent all the same.
const WRONG: [&str; 2] =
    ["dcmp_thisKeyIsWrongAndPlanted0000000", "dcmpadm_thisOneIsPlantedToo00000"];

/// What customers entrust to the platform: kept for them, never logged.
const ENTRUSTED: [&str; 8] = [
    "tokenizer-planted-0001",
    "label-planted-0002",
    "schema-planted-0003",
    "hooks.example.com/services/planted-0004",
    "input-planted-0005",
    "description-planted-0006",
    "file-planted-0007.onnx",
    "said-by-a-device-planted-0008",
];

/// What stands in headers that nobody asked for.
const STRAY: [&str; 4] = [
    "Bearer planted-bearer-0009",
    "Basic cGxhbnRlZDowMDEwMDAxMA==",
    "session=planted-cookie-0011",
    "planted-idempotency-key-0012",
];

/// Stored in clear, so that the search is seen to find what is there.
const OPEN: &str = "a name that is no secret";

#[tokio::test]
async fn secrets_stay_out_of_the_log_and_the_store() {
    let options = Options { log: Some("trace"), own_device: false, ..Options::default() };
    let mut platform = Platform::with(options);
    let created = create_key(&platform, "one").await;
    let owners = create_key(&platform, "two").await;
    let keys = [KEY, ADMIN, &created, &owners, WRONG[0], WRONG[1]];
    for key in keys {
        show_everywhere(&platform, key).await;
    }
    stray_headers(&platform).await;
    let model = entrust(&platform).await;

    // a device that is written by hand, and sees what devices see
    let mut by_hand = ByHand::connect(&platform, &created).await;
    let token = by_hand.hello(None).await;
    let mut by_hand = ByHand::connect(&platform, &created).await;
    assert_eq!(by_hand.hello(Some(&token)).await, token, "it goes on with its session");
    let signature = by_hand.signature_of_a_model(&platform, &token, &model).await;
    let path = format!("/models/{model}/download");
    Client::new(&platform.url, "x-sdk-token", &token).get(&path).await;
    by_hand.tells_its_log(&platform, &created, ENTRUSTED[7]).await;
    drop(by_hand);

    // and a day's work: a device, an answer, a download, and a command of each kind
    let device = Device::spawn_with(&platform, "desk", &[], &[("DCMP_LOG", "trace")]);
    platform.until_listed("desk", "idle").await;
    let body = json!({ "model_id": model, "input": mlp_case().0 });
    let request = platform.client.request(Method::POST, "/inference");
    let (status, job) = answer(request.header("Idempotency-Key", STRAY[3]).json(&body)).await;
    assert_eq!(status, 200, "{job}");
    let download = platform.client.request(Method::GET, &path).send().await.unwrap();
    let url = text(&json!(download.headers()["location"].to_str().unwrap())).to_owned();
    assert_eq!(platform.client.http.get(&url).send().await.unwrap().status(), StatusCode::OK);
    let downloaded = url.split("sig=").nth(1).unwrap().to_owned();
    let command_said = command(&platform, &owners);
    let device_said = device.process.said();
    drop(device);
    platform.process.end();

    let said = platform.process.said();
    for (who, said) in [("platform", &said), ("device", &device_said), ("command", &command_said)] {
        assert!(said.lines().count() > 20, "the {who} was to log everything: {said}");
        assert!(
            !said.contains("sig="),
            "the {who} logs an address with its signature: {}",
            around(said, "sig=")
        );
    }
    // the one line that tells people their key
    let announced = format!("API key    {KEY}");
    assert_eq!(said.matches(&announced).count(), 1, "{said}");
    let said = said.replace(&announced, "");
    let seen = [token.as_str(), &signature, &downloaded];
    let logged = keys.iter().chain(&ENTRUSTED).chain(&STRAY).chain(&seen);
    assert!(logged.clone().count() > 20);
    for secret in logged {
        for (who, said) in
            [("platform", &said), ("device", &device_said), ("command", &command_said)]
        {
            for form in [(*secret).to_owned(), hex::encode(secret)] {
                assert!(
                    !said.contains(&form),
                    "{secret} is in the log of the {who}:\n{}",
                    around(said, &form)
                );
            }
        }
    }
    search_store(&platform, keys.iter().chain(&STRAY).chain(&seen));
}

/// A key of a customer with an open name, by a request that is repeated.
async fn create_key(platform: &Platform, idempotency_key: &str) -> String {
    let (_, customer) = platform.admin.post("/admin/customers", json!({ "name": OPEN })).await;
    let keys = format!("/admin/customers/{}/keys", text(&customer["id"]));
    let repeatable = || {
        let request = platform.admin.request(Method::POST, &keys);
        answer(request.header("Idempotency-Key", idempotency_key).json(&json!({})))
    };
    let created = text(&repeatable().await.1["secret"]).to_owned();
    repeatable().await;
    created
}

/// Sends a key in every place for keys, and where none belongs.
async fn show_everywhere(platform: &Platform, secret: &str) {
    for header in ["x-api-key", "x-admin-key", "x-sdk-token", "authorization"] {
        let client = Client::new(&platform.url, header, secret);
        for path in ["/models", "/admin/customers", "/models/model_1/download", "/nothing"] {
            client.get(path).await;
        }
        client.post("/inference", json!({ "model_id": "model_1", "input": {} })).await;
        client.upload_bytes("broken.onnx", b"broken".to_vec()).await;
    }
    for path in [
        format!("/models/{secret}"),
        format!("/devices?cursor={secret}"),
        format!("/devices?api_key={secret}"),
        format!("/devices/{secret}/logs?level={secret}"),
    ] {
        platform.client.get(&path).await;
    }
    platform.client.post(&format!("/devices/{secret}/drain"), json!(null)).await;
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

async fn stray_headers(platform: &Platform) {
    for path in ["/models", "/nothing", "/health", "/devices?limit=0"] {
        let request = platform.client.request(Method::GET, path);
        let request = request.header("authorization", STRAY[0]).header("cookie", STRAY[2]);
        answer(request.header("proxy-authorization", STRAY[1])).await;
    }
}

/// Gives the platform what is a customer's own business: a model with all its texts, and inputs. Some
/// of it is refused, which is no reason to log it.
async fn entrust(platform: &Platform) -> String {
    let [tokenizer, label, schema, hook, input, description, file, _] = ENTRUSTED;
    let schema = json!({ "type": "object", "title": schema, "x-adapter": { "tokenizer": { "model": tokenizer } } });
    let fields = [
        ("labels", json!([label, "dog"]).to_string()),
        ("input_schema", schema.to_string()),
        ("description", description.to_owned()),
        ("webhook_url", format!("https://{hook}")),
    ];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    upload(&platform.client, form(file, fixture("mlp.onnx"), &fields)).await;
    upload(&platform.client, form(file, b"no model".to_vec(), &fields)).await;
    let model = platform.upload("mlp.onnx").await;
    for input in [json!({ "text": input }), json!({ "data": [input], "shape": [1, 10] })] {
        platform.client.infer(&model, &input).await;
    }
    model
}

/// What the command logs, of each kind once.
fn command(platform: &Platform, owners: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    let mut said = String::new();
    for arguments in [
        &["devices"][..],
        &["device", "logs", "desk"],
        &["model", "list"],
        &["key", "create", "--admin-key", ADMIN],
        &["devices", "--api-key", WRONG[0]],
        &["devices", "--api-key", owners],
    ] {
        let output = Command::new(DCMP)
            .args(arguments)
            .env("HOME", home.path())
            .env("DCMP_LOG", "trace")
            .env("DCMP_DATA", &platform.data)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        said.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    said
}

/// Keys are nowhere in the data directory but in the files that are there for them.
fn search_store<'a>(platform: &Platform, secrets: impl Iterator<Item = &'a &'a str> + Clone) {
    let mut found_open = false;
    for path in files(&platform.data) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if matches!(name, "client.json" | "secret") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        found_open |= has(OPEN);
        for secret in secrets.clone() {
            assert!(!has(secret), "{secret} is in {}", path.display());
        }
    }
    assert!(found_open, "the store keeps its texts in a form that this search does not read");
}

/// The lines that hold a text.
fn around(said: &str, text: &str) -> String {
    said.lines().filter(|line| line.contains(text)).take(3).collect::<Vec<_>>().join("\n")
}
