//! What a deployment lacks is named, with the variable that should name it.

use std::time::Duration;

use conformance::Subject;
use ports::{Key, Query};
use serde_json::json;

use crate::cloud::Cloud;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_deployment_lacks_is_named() {
    let cloud = Cloud::start_as(|config| {
        config.table = "no-table".to_owned();
        config.bucket = "no-bucket".to_owned();
    });
    let (cloud, key) = (cloud.await, Key::new("p", "s"));
    let ports = cloud.ports();
    let body = json!(1);
    let no_queue = dcmp_aws::ports(cloud.config()).queues;
    let (get, query, read, blob, message) = tokio::join!(
        ports.records.get(&key),
        ports.records.query(Query::new("p", "", 1)),
        ports.changes.read("c", 1, Duration::ZERO),
        ports.blobs.get("a", None),
        no_queue.send("work", &body, Duration::ZERO),
    );
    let errors = [
        (get.err(), "DCMP_TABLE", "the table no-table"),
        (query.err(), "DCMP_TABLE", "the table no-table"),
        (read.err(), "DCMP_TABLE", "the table no-table"),
        (blob.err(), "DCMP_BUCKET", "the bucket no-bucket"),
        (message.err(), "DCMP_QUEUES", "the queue work"),
    ];
    for (error, variable, resource) in errors {
        let error = error.unwrap().to_string();
        assert!(error.contains(variable) && error.contains(resource), "{error}");
    }
}
