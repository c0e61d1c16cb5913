//! `limit` and `cursor`, the same on every list.

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    assert_refused,
    support::{Client, Platform},
    text,
};

/// The ids on all pages of a list, page by page.
async fn pages(client: &Client, path: &str, field: &str, limit: usize) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let (status, page) = client.get(&format!("{path}?limit={limit}{cursor}")).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let items = page[field].as_array().unwrap();
        pages.push(items.iter().map(|item| text(&item["id"]).to_owned()).collect());
        match &page["next_cursor"] {
            Value::Null => return pages,
            next => cursor = format!("&cursor={}", text(next)),
        }
    }
}

#[tokio::test]
async fn five_models_are_three_pages_of_two() {
    let platform = Platform::without_own_device();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(platform.upload("mlp.onnx").await);
    }
    ids.reverse();
    let found = pages(&platform.client, "/models", "models", 2).await;
    assert_eq!(found, [&ids[..2], &ids[2..4], &ids[4..]]);
    // the total is the same on every page
    let (_, first) = platform.client.get("/models?limit=2").await;
    let cursor = text(&first["next_cursor"]);
    let (_, second) = platform.client.get(&format!("/models?limit=2&cursor={cursor}")).await;
    assert_eq!((&first["total"], &second["total"]), (&json!(5), &json!(5)));
    // a full last page has no successor
    assert_eq!(pages(&platform.client, "/models", "models", 5).await, [ids.clone()]);
    // a page goes on where it was, whatever was removed meanwhile
    platform.client.delete(&format!("/models/{}", ids[1])).await;
    let (_, second) = platform.client.get(&format!("/models?limit=2&cursor={cursor}")).await;
    assert_eq!((&second["models"][0]["id"], &second["total"]), (&json!(ids[2]), &json!(4)));
}

#[tokio::test]
async fn customers_and_keys_have_pages() {
    let platform = Platform::without_own_device();
    for name in ["a", "b", "c"] {
        platform.admin.post("/admin/customers", json!({ "name": name })).await;
    }
    let found = pages(&platform.admin, "/admin/customers", "customers", 3).await;
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [3, 1]);
    let keys = format!("/admin/customers/{}/keys", found[1][0]);
    for _ in 0..3 {
        platform.admin.post(&keys, json!({})).await;
    }
    let found = pages(&platform.admin, &keys, "keys", 2).await;
    assert_eq!(found.concat().into_iter().collect::<BTreeSet<_>>().len(), 3);
}

#[tokio::test]
async fn devices_have_pages() {
    let platform = Platform::without_own_device();
    let _own = platform.device("own").await;
    let _shared = platform.device_with("shared", &["--share", "everyone"]).await;
    let _third = platform.device("third").await;
    let found = pages(&platform.client, "/devices", "devices", 2).await.concat();
    assert_eq!(found.len(), 3);
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>().len(), 3, "none twice");
}

#[tokio::test]
async fn pages_that_cannot_be() {
    let platform = Platform::without_own_device();
    let customers = platform.admin.get("/admin/customers").await.1;
    let keys = format!("/admin/customers/{}/keys", text(&customers["customers"][0]["id"]));
    for (client, path) in [
        (&platform.client, "/models"),
        (&platform.client, "/devices"),
        (&platform.admin, "/admin/customers"),
        (&platform.admin, &*keys),
    ] {
        for limit in ["0", "201", "-1", "all", "1.5", ""] {
            let refused = client.get(&format!("{path}?limit={limit}")).await;
            assert_refused(refused, 400, "VALIDATION_ERROR", &["limit: ", "1 to 200"]);
        }
        let long = "A".repeat(2_000);
        for cursor in ["", "*", "a", "_w", long.as_str()] {
            let refused = client.get(&format!("{path}?cursor={cursor}")).await;
            assert_refused(refused, 400, "VALIDATION_ERROR", &["cursor: ", "`next_cursor`"]);
        }
        // a cursor of somebody's own making shows nothing that is not theirs, and breaks nothing
        for cursor in ["AA", "e30", "c21vZGVs", "b35-fn5-"] {
            let (status, body) = client.get(&format!("{path}?cursor={cursor}")).await;
            assert!(status == StatusCode::OK || status == StatusCode::BAD_REQUEST, "{body}");
        }
        assert_eq!(client.get(&format!("{path}?limit=200")).await.0, StatusCode::OK);
    }
}
