//! Messages that failed too often, as the operator sees them.

use reqwest::StatusCode;
use serde_json::json;

use crate::{assert_refused, support::Platform};

#[tokio::test]
async fn there_are_none_unless_something_failed_five_times() {
    let platform = Platform::start();
    let (status, letters) = platform.admin.get("/admin/dead-letters").await;
    assert_eq!((status, letters), (StatusCode::OK, json!({ "letters": [] })));
    let again = platform.admin.post("/admin/dead-letters/redrive", json!({})).await;
    assert_eq!(again, (StatusCode::OK, json!({ "moved": 0 })));
    let body = json!({ "queue": "nothing" });
    let answer = platform.admin.post("/admin/dead-letters/redrive", body).await;
    assert_refused(answer, 400, "VALIDATION_ERROR", &["nothing", "work, batches"]);
}
