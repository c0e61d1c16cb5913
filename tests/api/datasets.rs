//! Datasets over HTTP: at once, in parts, shown, refused, deleted; and in little memory.

use std::{fmt::Write, time::Duration};

use bytes::Bytes;
use ports::Checksum;
use reqwest::{
    Method, StatusCode,
    multipart::{Form, Part},
};
use serde_json::{Value, json};

use crate::{
    assert_refused, files,
    support::{Client, Platform, answer, eventually},
    text,
};

const IRIS: &str = "sepal,petal,label\n5.1,3,setosa\n4.9,2.5,virginica\n6,1,setosa\n";

fn form(name: &str, bytes: impl Into<Vec<u8>>, fields: &[(&'static str, &str)]) -> Form {
    let file = Part::bytes(bytes.into()).file_name(name.to_owned());
    fields
        .iter()
        .fold(Form::new(), |form, (name, value)| form.text(*name, (*value).to_owned()))
        .part("file", file)
}

async fn upload(client: &Client, form: Form) -> (StatusCode, Value) {
    answer(client.request(Method::POST, "/datasets").multipart(form)).await
}

#[tokio::test]
async fn a_small_file_is_ready_at_once() {
    let platform = Platform::without_own_device();
    let client = &platform.client;
    let (status, made) = upload(client, form("iris.csv", IRIS, &[("ttl_days", "2")])).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let mut shown = made.clone();
    for field in ["id", "created_at", "expires_at", "statistics"] {
        shown.as_object_mut().unwrap().remove(field);
    }
    let column = |name: &str, dtype: &str| json!({ "name": name, "dtype": dtype, "shape": [] });
    assert_eq!(
        shown,
        json!({
            "name": "iris",
            "format": "csv",
            "status": "ready",
            "rows": 3,
            "bytes": IRIS.len(),
            "checksum": Checksum::of(IRIS.as_bytes()).to_string(),
            "schema": [column("sepal", "float64"), column("petal", "float64"), column("label", "text")],
            "labels": [{ "label": "setosa", "count": 2 }, { "label": "virginica", "count": 1 }],
        })
    );
    assert_eq!(made["statistics"]["sepal"]["max"], 6.0);
    assert_eq!(made["statistics"]["label"], json!({ "missing": 0, "distinct": 2 }));
    let day = |field: &str| text(&made[field])[..10].parse::<jiff::civil::Date>().unwrap();
    assert_eq!(
        day("created_at").checked_add(jiff::Span::new().days(2)).unwrap(),
        day("expires_at")
    );
    let id = text(&made["id"]);
    assert_eq!(client.get(&format!("/datasets/{id}")).await, (StatusCode::OK, made.clone()));
    let (_, list) = client.get("/datasets").await;
    assert_eq!((&list["total"], &list["datasets"][0]["id"]), (&json!(1), &made["id"]));
    assert_eq!(list["datasets"][0].get("schema"), None);
    assert_eq!(client.delete(&format!("/datasets/{id}")).await.0, StatusCode::NO_CONTENT);
    let gone = client.get(&format!("/datasets/{id}")).await;
    assert_refused(gone, 404, "NOT_FOUND", &["no dataset", id]);
    assert_eq!(files(&platform.data.join("blobs")), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn repeating_an_upload_with_its_key_makes_one_dataset() {
    let platform = Platform::without_own_device();
    let client = &platform.client;
    let post = |form| {
        let request = client.request(Method::POST, "/datasets").header("Idempotency-Key", "k");
        answer(request.multipart(form))
    };
    let (_, first) = post(form("iris.csv", IRIS, &[])).await;
    let (status, again) = post(form("iris.csv", IRIS, &[])).await;
    assert_eq!((status, &again), (StatusCode::CREATED, &first));
    let other = post(form("iris.csv", IRIS, &[("name", "other")])).await;
    assert_refused(other, 422, "IDEMPOTENCY_MISMATCH", &[]);
    assert_eq!(client.get("/datasets").await.1["total"], 1);
}

#[tokio::test]
async fn what_is_refused_says_what_to_change() {
    let platform = Platform::without_own_device();
    let client = &platform.client;
    for (form, words) in [
        (form("a.csv", "a,b\n1\n", &[]), "file: line 2 has 1 fields, the header has 2"),
        (form("a.json", "{\"a\": 1}\n{", &[]), "file: line 2, column 1: EOF"),
        (form("a.npy", "no array at all", &[]), "file: the array `x` is no NumPy file"),
        (form("a.npz", "PK", &[]), "file: not an npz file"),
        (form("a.csv", "", &[]), "file: the file is empty"),
        (form("a.csv", IRIS, &[("format", "xml")]), "format: `xml` is no format; use one of csv"),
        (form("a.csv", IRIS, &[("ttl_days", "0")]), "ttl_days: expected 1 to 365"),
        (form("a.csv", IRIS, &[("ttl_days", "soon")]), "ttl_days: expected a number"),
        (form("a.csv", IRIS, &[("name", "a"), ("name", "b")]), "name: is there twice"),
        (Form::new().text("name", "a"), "file: missing"),
    ] {
        assert_refused(upload(client, form).await, 400, "VALIDATION_ERROR", &[words]);
    }
    let large = upload(client, form("a.csv", vec![b'1'; 17 << 20], &[])).await;
    assert_refused(large, 413, "PAYLOAD_TOO_LARGE", &["in parts", "dcmp dataset upload"]);
    let text = client.request(Method::POST, "/datasets").body(IRIS);
    assert_refused(answer(text).await, 415, "UNSUPPORTED_MEDIA_TYPE", &["multipart/form-data"]);
    assert_eq!(client.get("/datasets").await.1["total"], 0);
    assert_eq!(files(&platform.data.join("blobs")), Vec::<std::path::PathBuf>::new());
}

/// Sends a file in parts of 8 MB, and completes it.
async fn in_parts(client: &Client, name: &str, file: &Bytes) -> String {
    const PART: usize = 8 << 20;
    let sum = |bytes: &[u8]| Checksum::of(bytes).to_string();
    let parts: Vec<_> = file.chunks(PART).map(sum).collect();
    let body = json!({
        "file_name": name,
        "size": file.len(),
        "checksum": sum(file),
        "part_size": PART,
        "parts": parts,
    });
    let (status, begun) = client.post("/datasets", body).await;
    assert_eq!(status, StatusCode::CREATED, "{begun}");
    for (at, signed) in begun["upload"]["parts"].as_array().unwrap().iter().enumerate() {
        let bytes = file.slice(at * PART..file.len().min((at + 1) * PART));
        let mut request = client.http.put(text(&signed["url"])).body(bytes);
        for (name, value) in signed["headers"].as_object().unwrap() {
            request = request.header(name, text(value));
        }
        assert_eq!(answer(request).await.0, StatusCode::OK);
    }
    let id = text(&begun["id"]).to_owned();
    let (status, completed) =
        answer(client.request(Method::POST, &format!("/datasets/{id}/complete"))).await;
    assert_eq!((status, &completed["status"]), (StatusCode::ACCEPTED, &json!("validating")));
    id
}

async fn judged(client: &Client, id: &str) -> Value {
    eventually("the end of the validation", || async {
        let (_, dataset) = client.get(&format!("/datasets/{id}")).await;
        (dataset["status"] != "validating").then_some(dataset)
    })
    .await
}

/// A table of a million rows, twice read and written anew, takes no memory for it.
#[tokio::test]
async fn a_million_rows_take_little_memory() {
    let platform = Platform::without_own_device();
    let client = &platform.client;
    let mut file = String::with_capacity(70 << 20);
    file.push_str("a,b,c,name,label\n");
    for row in 0..1_000_000 {
        writeln!(
            file,
            "{row},{}.125,{}e-3,name of row {row},class {}",
            row % 977,
            row % 13,
            row % 7
        )
        .unwrap();
    }
    let file = Bytes::from(file);
    let id = in_parts(client, "rows.csv", &file).await;
    let before = platform.process.most_memory();
    let dataset = judged(client, &id).await;
    let more = platform.process.most_memory() - before;
    assert_eq!((&dataset["status"], &dataset["rows"]), (&json!("ready"), &json!(1_000_000)));
    assert_eq!(dataset["labels"][6], json!({ "label": "class 6", "count": 142_857 }));
    assert!(more < 64 << 20, "{} MB more for {} MB", more >> 20, file.len() >> 20);
}

#[tokio::test]
async fn an_upload_that_nobody_completes_goes_with_its_dataset() {
    let platform = Platform::without_own_device();
    let client = &platform.client;
    let body =
        json!({ "file_name": "a.csv", "size": 9, "checksum": Checksum::of(b"").to_string() });
    let (_, begun) = client.post("/datasets", body).await;
    let path = format!("/datasets/{}", text(&begun["id"]));
    let (_, progress) = client.get(&format!("{path}/upload")).await;
    assert_eq!((&progress["status"], &progress["missing"]), (&json!("uploading"), &json!([1])));
    let early = answer(client.request(Method::POST, &format!("{path}/complete"))).await;
    assert_refused(early, 409, "CONFLICT", &["1 parts", "missing: 1;"]);
    assert_eq!(client.delete(&path).await.0, StatusCode::NO_CONTENT);
    assert_eq!(client.get(&format!("{path}/upload")).await.0, StatusCode::NOT_FOUND);
    tokio::time::timeout(Duration::from_secs(60), async {
        while !files(&platform.data.join("uploads")).is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}
