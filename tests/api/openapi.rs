//! The OpenAPI document: what the routes say, complete, and served.

use std::{collections::BTreeSet, path::Path};

use api::{Auth, Entry};
use reqwest::{StatusCode, header};
use serde_json::{Value, json};

use crate::support::Platform;

fn checked_in() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_document_is_what_the_routes_say() {
    assert!(
        checked_in() == registry::openapi(),
        "docs/openapi.json is not what the routes say; run `cargo xtask openapi`"
    );
}

#[test]
fn the_document_is_whole() {
    let document: Value = serde_json::from_str(&registry::openapi()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    assert_eq!(document["servers"][0]["url"], api::BASE_PATH);
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut references = Vec::new();
    find_references(&document, &mut references);
    assert!(references.len() > 20);
    for reference in references {
        let name = reference.strip_prefix("#/components/schemas/").unwrap();
        assert!(schemas.contains_key(name), "nothing is at {reference}");
    }
    // every key that an operation wants is explained
    let keys = document["components"]["securitySchemes"].as_object().unwrap();
    assert_eq!(keys.keys().collect::<Vec<_>>(), ["admin_key", "api_key", "sdk_token"]);
}

fn find_references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| find_references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| find_references(value, found)),
        _ => {}
    }
}

#[test]
fn every_operation_is_described() {
    let document: Value = serde_json::from_str(&registry::openapi()).unwrap();
    let mut ids = BTreeSet::new();
    for route in registry::routes() {
        let Entry::Http(_) = route.entry else { continue };
        let (method, path) = route.operation().unwrap();
        let method = serde_json::to_value(method).unwrap();
        let operation = &document["paths"][&path][method.as_str().unwrap()];
        let name = format!("{method} {path}");
        let said = |field: &str| operation[field].as_str().is_some_and(|text| !text.is_empty());
        assert!(said("summary"), "{name} has no summary: its handler lacks a comment");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{name}");
        assert!(ids.insert(operation["operationId"].to_string()), "{name}: id used twice");
        let key = |kind: &str, scopes: Value| json!({ kind: scopes });
        let security = match route.auth {
            Auth::Open => Value::Null,
            Auth::Customer(scope) => json!([key("api_key", json!([scope.name()]))]),
            Auth::CustomerOrDevice(scope) => {
                json!([key("api_key", json!([scope.name()])), key("sdk_token", json!([]))])
            }
            Auth::Admin => json!([key("admin_key", json!([]))]),
            Auth::Platform => panic!("{name} is served to people, but meant for the platform"),
        };
        assert_eq!(operation["security"], security, "{name}");
        let envelope = &operation["responses"]["default"]["content"]["application/json"]["schema"];
        assert_eq!(envelope["$ref"], "#/components/schemas/Envelope", "{name}");
        for (status, response) in operation["responses"].as_object().unwrap() {
            let described = response["description"].as_str().is_some_and(|text| !text.is_empty());
            assert!(described, "{name}: {status} has no description");
        }
        for parameter in path.split('/').filter_map(|part| part.strip_prefix('{')) {
            let parameter = parameter.trim_end_matches('}');
            let mut described = operation["parameters"].as_array().unwrap().iter();
            let is_described = described.any(|p| p["name"] == parameter && p["in"] == "path");
            assert!(is_described, "{name}: {parameter}");
        }
    }
}

#[tokio::test]
async fn the_document_is_served() {
    let platform = Platform::without_own_device();
    for path in ["/openapi.json", "/api/v1/openapi.json"] {
        let request = platform.client.http.get(format!("{}{path}", platform.url));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(response.text().await.unwrap(), checked_in());
    }
}

#[tokio::test]
async fn a_page_shows_the_document() {
    let platform = Platform::without_own_device();
    for path in ["/docs", "/api/v1/docs"] {
        let request = platform.client.http.get(format!("{}{path}", platform.url));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        assert!(kind.starts_with("text/html"), "{kind}");
        let page = response.text().await.unwrap();
        assert!(page.contains("openapi.json"));
        // it works without the internet
        assert!(!page.contains("src=\"http") && !page.contains("@import"));
    }
}
