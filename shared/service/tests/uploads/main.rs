//! Files that come in parts, and files whose makers died, over the real store, with the tests in the
//! place of the clients, the queue's consumer and the timer.

#![allow(clippy::unwrap_used, unreachable_pub, reason = "tests")]

#[path = "../support/mod.rs"]
mod support;

mod interrupted;
mod judged;
mod swept;

use std::time::Duration;

use bytes::Bytes;
use dcmp_service::{
    Result, Signature,
    idempotency::Commit,
    models::{
        self, Inspected,
        uploads::{self, New},
    },
};
use ports::{Checksum, Part, Query};
use protocol::rest::{
    models::{Summary, Update},
    uploads::{Begun, PartWanted, Plan},
};
use serde_json::{Value, json};

use self::support::Platform;

/// The fewest bytes of a part.
const PART: usize = 5 << 20;

/// How long an upload may be silent.
const IDLE: Duration = Duration::from_secs(24 * 3600);

/// A file of two parts.
fn file() -> Bytes {
    let bytes: Vec<u8> = (0..PART + 10).map(|at| (at / 7) as u8).collect();
    bytes.into()
}

fn accepted() -> Inspected {
    Inspected::Accepted {
        signature: Some(Signature { inputs: Vec::new(), outputs: Vec::new() }),
        profile: None,
        unprofiled: None,
    }
}

/// Announces [`file`], with more in the body.
async fn begin(platform: &Platform, more: Value) -> Result<Begun> {
    let mut body = json!({ "name": "net", "size": file().len(), "part_size": PART });
    body["checksum"] = Checksum::of(&file()).to_string().into();
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let body = serde_json::from_value(body).unwrap();
    let new = New::read(&platform.app, &platform.customer, None, body).await?;
    uploads::begin(&platform.app, &platform.customer, new, Commit::alone()).await
}

/// As paths name it.
fn reference(begun: &Begun) -> String {
    format!("{}@{}", begun.id, begun.version)
}

/// Sends parts of [`file`] as their URLs say.
async fn send(platform: &Platform, begun: &Begun, numbers: &[u32]) {
    for &number in numbers {
        let at = (number as usize - 1) * PART;
        let bytes = file().slice(at..file().len().min(at + PART));
        let checksum = Checksum::of(&bytes);
        let wanted = [PartWanted { number, checksum: checksum.to_string() }];
        let (app, customer) = (&platform.app, &platform.customer);
        let signed = uploads::sign(app, customer, &reference(begun), &wanted, "").await.unwrap();
        let (path, query) = signed.parts[0].url.split_once('?').unwrap();
        let key = path.strip_prefix("/_blobs/").unwrap();
        let upload = query.split('&').find_map(|pair| pair.strip_prefix("upload=")).unwrap();
        let part = Part { number, checksum };
        app.ports.blobs.put_part(key, upload, part, bytes).await.unwrap();
    }
}

async fn complete(platform: &Platform, begun: &Begun) -> Result<Summary> {
    uploads::complete(&platform.app, &platform.customer, &reference(begun)).await
}

/// As the queue's consumer.
async fn validate(platform: &Platform, begun: &Begun) -> Result<()> {
    uploads::validate(&platform.app, &begun.id, begun.version).await
}

async fn shown(platform: &Platform, begun: &Begun) -> Summary {
    models::look(&platform.app, &platform.customer, &begun.id, None).await.unwrap().0
}

/// Changes something of a model.
async fn change(platform: &Platform, id: &str, update: Value) {
    let update: Update = serde_json::from_value(update).unwrap();
    let (app, customer) = (&platform.app, &platform.customer);
    models::update(app, customer, id, &update, |_| true).await.unwrap();
}

/// The statuses of all versions, oldest first.
async fn statuses(platform: &Platform, id: &str) -> Vec<String> {
    let query = Query::new(format!("MODEL#{id}"), "V#", 100);
    let page = platform.app.ports.records.query(query).await.unwrap();
    let status = |item: ports::Item| item.decode::<Value>().unwrap()["status"].clone();
    page.items.into_iter().map(|(_, item)| status(item).as_str().unwrap().to_owned()).collect()
}

/// How many files the timer knows of.
async fn pending(platform: &Platform) -> usize {
    let query = Query::new("PENDING", "", 100);
    platform.app.ports.records.query(query).await.unwrap().items.len()
}

/// That no trace is left of anything.
async fn assert_nothing_stays(platform: &Platform) {
    platform.fold().await;
    let models = models::list(&platform.app, &platform.customer, None, 10).await.unwrap();
    assert_eq!(models.models, []);
    assert_eq!(pending(platform).await, 0);
    assert_eq!(platform.files(), Vec::<std::path::PathBuf>::new());
}
