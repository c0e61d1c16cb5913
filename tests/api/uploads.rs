//! Models that come in parts, over HTTP: whatever is interrupted goes on, and memory stays flat.

use bytes::Bytes;
use ports::Checksum;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    assert_refused, files,
    support::{Client, Platform, answer, eventually, heavy, mlp_case},
    text,
};

/// The fewest bytes of a part.
const PART: usize = 5 << 20;

/// A model of three parts.
fn model() -> Bytes {
    let mut bytes = Vec::new();
    heavy::write(12 << 20, &mut bytes).unwrap();
    bytes.into()
}

fn sum(bytes: &[u8]) -> String {
    Checksum::of(bytes).to_string()
}

fn body(file: &[u8]) -> Value {
    json!({ "name": "heavy", "size": file.len(), "checksum": sum(file), "part_size": PART })
}

async fn begin(client: &Client, body: &Value) -> Value {
    let (status, begun) = client.post("/models", body.clone()).await;
    assert_eq!(status, StatusCode::CREATED, "{begun}");
    begun
}

/// Sends a part where the platform said.
async fn put(client: &Client, signed: &Value, bytes: Bytes) -> (StatusCode, Value) {
    let mut request = client.http.put(text(&signed["url"])).body(bytes);
    for (name, value) in signed["headers"].as_object().unwrap() {
        request = request.header(name, text(value));
    }
    answer(request).await
}

/// Where the part is sent to that has this checksum.
async fn sign(client: &Client, id: &str, number: usize, checksum: &str) -> Value {
    let wanted = json!({ "parts": [{ "number": number, "checksum": checksum }] });
    let (status, signed) = client.post(&format!("/models/{id}/upload/parts"), wanted).await;
    assert_eq!(status, StatusCode::OK, "{signed}");
    signed["parts"][0].clone()
}

async fn send(client: &Client, id: &str, file: &Bytes, number: usize) {
    let at = (number - 1) * PART;
    let bytes = file.slice(at..file.len().min(at + PART));
    let signed = sign(client, id, number, &sum(&bytes)).await;
    assert_eq!(signed["size"], bytes.len());
    assert_eq!(put(client, &signed, bytes).await.0, StatusCode::OK);
}

async fn complete(client: &Client, id: &str) -> (StatusCode, Value) {
    answer(client.request(Method::POST, &format!("/models/{id}/complete"))).await
}

/// The model, once the platform has looked at it.
async fn judged(client: &Client, id: &str) -> Value {
    eventually("the end of the validation", || async {
        let (_, model) = client.get(&format!("/models/{id}")).await;
        (model["status"] != "validating").then_some(model)
    })
    .await
}

#[tokio::test]
async fn an_upload_goes_on_after_a_crash() {
    let mut platform = Platform::start();
    let file = model();
    let begun = begin(&platform.client, &body(&file)).await;
    assert_eq!(
        (&begun["status"], &begun["upload"]["part_count"]),
        (&json!("uploading"), &json!(3))
    );
    // nothing is known of a file that is not there
    assert_eq!((&begun["input_shape"], &begun["output_shape"]), (&Value::Null, &Value::Null));
    let id = text(&begun["id"]);
    send(&platform.client, id, &file, 2).await;
    platform.crash_and_restart();
    let client = platform.client.clone();
    let (status, progress) = client.get(&format!("/models/{id}/upload")).await;
    assert_eq!((status, &progress["missing"]), (StatusCode::OK, &json!([1, 3])), "{progress}");
    let uploaded = json!([{ "number": 2, "size": PART, "checksum": sum(&file[PART..2 * PART]) }]);
    assert_eq!(progress["uploaded"], uploaded);
    let early = client.infer(id, &mlp_case().0).await;
    assert_refused(early, 404, "NO_MODEL", &["uploading", "finish the upload"]);
    assert_refused(complete(&client, id).await, 409, "CONFLICT", &["3 parts", "missing: 1, 3;"]);
    send(&client, id, &file, 1).await;
    send(&client, id, &file, 3).await;
    let (status, completed) = complete(&client, id).await;
    assert_eq!((status, &completed["status"]), (StatusCode::ACCEPTED, &json!("validating")));
    let ready = judged(&client, id).await;
    assert_eq!((&ready["status"], &ready["checksum"]), (&json!("ready"), &json!(sum(&file))));
    assert_eq!(ready["input_shape"], json!([null, 8]));
    let (status, again) = complete(&client, id).await;
    assert_eq!((status, &again["status"]), (StatusCode::ACCEPTED, &json!("ready")));
    let gone = client.get(&format!("/models/{id}/upload")).await;
    assert_refused(gone, 404, "NOT_FOUND", &["nothing is being uploaded", "ready"]);
    assert_eq!(files(&platform.data.join("uploads")), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn a_part_is_exactly_the_bytes_of_its_checksum() {
    let platform = Platform::without_own_device();
    let client = &platform.client;
    let begun = begin(client, &body(&model())).await;
    let signed = sign(client, text(&begun["id"]), 1, &sum(b"right")).await;
    let refused = put(client, &signed, Bytes::from_static(b"wrong")).await;
    assert_refused(refused, 400, "VALIDATION_ERROR", &["SHA-256"]);
    let path = format!("/models/{}/upload/parts", text(&begun["id"]));
    for (number, checksum, words) in [
        (0, sum(b""), "parts[0].number: the parts of this file are numbered 1 to 3"),
        (4, sum(b""), "parts[0].number: the parts of this file are numbered 1 to 3"),
        (1, "md5".to_owned(), "parts[0].checksum: expected `sha256:`"),
    ] {
        let wanted = json!({ "parts": [{ "number": number, "checksum": checksum }] });
        assert_refused(client.post(&path, wanted).await, 400, "VALIDATION_ERROR", &[words]);
    }
    let wrong = client.post("/models", json!({ "size": "many", "checksum": sum(b"") })).await;
    assert_refused(wrong, 400, "VALIDATION_ERROR", &["size: "]);
    // given up, the URL opens nothing any more
    let path = format!("/models/{}/upload", text(&begun["id"]));
    assert_eq!(client.delete(&path).await.0, StatusCode::NO_CONTENT);
    let late = put(client, &signed, Bytes::from_static(b"right")).await;
    assert_refused(late, 404, "NOT_FOUND", &[]);
    assert_eq!(client.get("/models").await.1["total"], 0);
}

#[tokio::test]
async fn checksums_of_all_parts_bring_their_urls_at_once() {
    let platform = Platform::without_own_device();
    let (client, file) = (&platform.client, model());
    let mut body = body(&file);
    let parts: Vec<_> = file.chunks(PART).collect();
    body["parts"] = parts.iter().map(|part| json!(sum(part))).collect();
    let announce = || {
        let request = client.request(Method::POST, "/models").header("Idempotency-Key", "k");
        answer(request.json(&body))
    };
    let (status, begun) = announce().await;
    assert_eq!(status, StatusCode::CREATED, "{begun}");
    // whoever did not hear the answer asks again, and gets URLs that are good
    let (_, again) = announce().await;
    assert_eq!((&again["id"], &again["version"]), (&begun["id"], &begun["version"]));
    for (at, signed) in again["upload"]["parts"].as_array().unwrap().iter().enumerate() {
        let bytes = file.slice_ref(parts[at]);
        assert_eq!(put(client, signed, bytes).await.0, StatusCode::OK);
    }
    let id = text(&begun["id"]);
    assert_eq!(complete(client, id).await.0, StatusCode::ACCEPTED);
    assert_eq!(judged(client, id).await["status"], "ready");
}

/// Transfer and checksum of a file take no memory for it: not the platform's, however large it is.
#[tokio::test]
async fn a_large_file_takes_little_memory() {
    const SIZE: usize = 128 << 20;
    const PART: usize = 8 << 20;
    let platform = Platform::without_own_device();
    let client = &platform.client;
    // the checksum is not that of the file, so nobody goes on to load it
    let body = json!({ "name": "large", "size": SIZE, "checksum": sum(b"") });
    let begun = begin(client, &body).await;
    let id = text(&begun["id"]);
    assert_eq!(begun["upload"]["part_size"], PART);
    let bytes = Bytes::from(vec![7; PART]);
    let before = platform.process.most_memory();
    for number in 1..=SIZE / PART {
        let signed = sign(client, id, number, &sum(&bytes)).await;
        assert_eq!(put(client, &signed, bytes.clone()).await.0, StatusCode::OK);
    }
    complete(client, id).await;
    let model = judged(client, id).await;
    assert_eq!(model["status"], "rejected");
    let reason = text(&model["reason"]);
    assert!(reason.contains(&sum(b"")) && reason.contains("upload it again"), "{reason}");
    let more = platform.process.most_memory() - before;
    assert!(more < 48 << 20, "{} MB more", more >> 20);
    assert_eq!(files(&platform.data.join("blobs")), Vec::<std::path::PathBuf>::new());
}
