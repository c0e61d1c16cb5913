//! `/admin`: customers and their keys.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{assert_refused, support::Platform, text};

async fn customer(platform: &Platform, name: &str) -> Value {
    let (status, customer) = platform.admin.post("/admin/customers", json!({ "name": name })).await;
    assert_eq!(status, StatusCode::CREATED, "{customer}");
    customer
}

fn keys(customer: &Value) -> String {
    format!("/admin/customers/{}/keys", text(&customer["id"]))
}

#[tokio::test]
async fn a_customer_is_made_and_listed() {
    let platform = Platform::without_own_device();
    let ada = customer(&platform, " Ada ").await;
    insta::assert_json_snapshot!(ada, { ".id" => "[id]", ".created_at" => "[time]" }, @r#"
    {
      "created_at": "[time]",
      "id": "[id]",
      "name": "Ada"
    }
    "#);
    let (status, list) = platform.admin.get("/admin/customers").await;
    assert_eq!(status, StatusCode::OK);
    // the first is the one that `dcmp up` made
    let names: Vec<_> = list["customers"].as_array().unwrap().iter().map(|c| &c["name"]).collect();
    assert_eq!(names, ["default", "Ada"]);
    assert_eq!((&list["customers"][1], &list["next_cursor"]), (&ada, &Value::Null));
}

#[tokio::test]
async fn a_secret_is_shown_once() {
    let platform = Platform::without_own_device();
    let ada = customer(&platform, "Ada").await;
    let wishes = json!({
        "name": "laptop", "scopes": ["infer", "models"], "expires_at": "2099-12-31T23:59:59+01:00"
    });
    let (status, mut key) = platform.admin.post(&keys(&ada), wishes).await;
    assert_eq!((status, &key["customer_id"]), (StatusCode::CREATED, &ada["id"]));
    let secret = text(&key["secret"]).to_owned();
    assert!(secret.strip_prefix("dcmp_").unwrap().len() == 32 && secret.is_ascii(), "{secret}");
    assert_eq!(key["prefix"], secret[..9]);
    insta::assert_json_snapshot!(key, {
        ".id" => "[id]",
        ".customer_id" => "[id]",
        ".prefix" => "[prefix]",
        ".created_at" => "[time]",
        ".secret" => "[secret]",
    }, @r#"
    {
      "created_at": "[time]",
      "customer_id": "[id]",
      "expires_at": "2099-12-31T22:59:59.000Z",
      "id": "[id]",
      "name": "laptop",
      "prefix": "[prefix]",
      "scopes": [
        "infer",
        "models"
      ],
      "secret": "[secret]"
    }
    "#);
    key.as_object_mut().unwrap().remove("secret");
    let (status, list) = platform.admin.get(&keys(&ada)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(list, json!({ "keys": [key], "next_cursor": null }));
}

#[tokio::test]
async fn a_key_opens_everything_unless_told_otherwise() {
    let platform = Platform::without_own_device();
    let ada = customer(&platform, "Ada").await;
    let (_, key) = platform.admin.post(&keys(&ada), json!({})).await;
    let all = ["infer", "train", "models", "projects", "usage", "devices"];
    assert_eq!((&key["scopes"], &key["expires_at"]), (&json!(all), &Value::Null));
}

#[tokio::test]
async fn customers_and_keys_that_are_refused() {
    let platform = Platform::without_own_device();
    let ada = customer(&platform, "Ada").await;
    let long = "x".repeat(201);
    for name in ["", "  ", "a\nb", &long] {
        let refused = platform.admin.post("/admin/customers", json!({ "name": name })).await;
        assert_refused(refused, 400, "VALIDATION_ERROR", &["name: ", "1 to 200 characters"]);
    }
    let cases: [(Value, &[&str]); 7] = [
        (json!({ "scopes": ["infer", "fly"] }), &["scopes[1]", "`fly`", "infer, train, models"]),
        (json!({ "scopes": [] }), &["scopes", "at least one"]),
        (json!({ "scopes": "infer" }), &["scopes"]),
        (json!({ "name": "" }), &["name: "]),
        (json!({ "expires_at": "2020-01-01T00:00:00Z" }), &["expires_at", "past"]),
        (json!({ "expires_at": "tomorrow" }), &["expires_at", "RFC 3339"]),
        (json!({ "expires_at": "1960-01-01T00:00:00Z" }), &["expires_at"]),
    ];
    for (wishes, words) in cases {
        let refused = platform.admin.post(&keys(&ada), wishes).await;
        assert_refused(refused, 400, "VALIDATION_ERROR", words);
    }
    let (_, list) = platform.admin.get(&keys(&ada)).await;
    assert_eq!(list, json!({ "keys": [], "next_cursor": null }));
    let (_, list) = platform.admin.get("/admin/customers").await;
    assert_eq!(list["customers"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn customers_and_keys_that_are_not_there() {
    let platform = Platform::without_own_device();
    for id in ["cust_0", "key_1", "a%2fb", &"c".repeat(2_000)] {
        let path = format!("/admin/customers/{id}/keys");
        let words = ["there is no customer", "GET /api/v1/admin/customers"];
        let refused = platform.admin.post(&path, json!({})).await;
        assert_refused(refused, 404, "NOT_FOUND", &words);
        assert_refused(platform.admin.get(&path).await, 404, "NOT_FOUND", &words);
        let refused = platform.admin.delete(&format!("/admin/keys/{id}")).await;
        assert_refused(refused, 404, "NOT_FOUND", &["there is no key"]);
    }
}
