//! DynamoDB and its streams: dynoxide, in memory.

use std::time::Duration;

use dynoxide::Database;
use serde_json::json;

use super::http::Server;

/// How often expired items are removed; DynamoDB takes up to days.
const SWEEP: Duration = Duration::from_millis(200);

/// A server with one empty table, made as the deployment makes it.
pub(crate) async fn serve(table: &str) -> Server {
    let database = Database::memory().unwrap();
    let key = |name, kind| json!({"AttributeName": name, "KeyType": kind});
    let text = |name| json!({"AttributeName": name, "AttributeType": "S"});
    let create = json!({
        "TableName": table,
        "AttributeDefinitions": [text("pk"), text("sk")],
        "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")],
        "BillingMode": "PAY_PER_REQUEST",
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    });
    database.create_table(serde_json::from_value(create).unwrap()).unwrap();
    let expiry = json!({
        "TableName": table,
        "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": true},
    });
    database.update_time_to_live(serde_json::from_value(expiry).unwrap()).unwrap();
    Server::start(|listener| async move {
        let sweeping = async {
            loop {
                tokio::time::sleep(SWEEP).await;
                database.sweep_ttl().unwrap();
            }
        };
        tokio::select! {
            () = dynoxide::server::serve_on(listener, database.clone()) => {}
            () = sweeping => {}
        }
    })
    .await
}
