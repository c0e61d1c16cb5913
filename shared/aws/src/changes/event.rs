//! A batch of the stream as Lambda hands it to a function.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html>

use std::{collections::BTreeMap, sync::Arc};

use ports::{Change, Error, Place, Result, Sequence};
use serde::Deserialize;

use crate::attributes::{Attribute, item};

/// What the shard is called where the event does not say: without a tumbling window Lambda leaves it
/// out. Numbers of several shards would then be compared with each other.
const UNNAMED: &str = "all";

/// The event of a function that a DynamoDB stream triggers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    #[serde(rename = "Records", default)]
    records: Vec<Record>,
    shard_id: Option<Arc<str>>,
}

#[derive(Debug, Deserialize)]
struct Record {
    dynamodb: Images,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Images {
    keys: BTreeMap<String, Attribute>,
    old_image: Option<BTreeMap<String, Attribute>>,
    new_image: Option<BTreeMap<String, Attribute>>,
    sequence_number: String,
}

/// The changes that an event brings, oldest first; at the end of a window it may bring none.
///
/// # Errors
/// For items that this platform did not write.
pub fn changes(event: Event) -> Result<Vec<Change>> {
    let shard = event.shard_id.unwrap_or_else(|| UNNAMED.into());
    let read = |Record { dynamodb: record }: Record| {
        let image = |image| item(image).map(|(_, item)| item);
        let (key, _) = item(record.keys)?;
        Ok(Change {
            place: Place { shard: shard.clone(), sequence: sequence(&record.sequence_number)? },
            key: key.ok_or_else(|| {
                Error::Unavailable("a change of the stream does not name its item".to_owned())
            })?,
            old: record.old_image.map(image).transpose()?,
            new: record.new_image.map(image).transpose()?,
        })
    };
    event.records.into_iter().map(read).collect()
}

/// A change's number as the stream has it.
pub(super) fn sequence(text: &str) -> Result<Sequence> {
    text.parse().map_err(|error| Error::Unavailable(format!("a change of the stream: {error}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use ports::{Item, Key};
    use serde_json::json;

    use super::*;

    fn event(mut event: serde_json::Value) -> Vec<Change> {
        let record = |old: serde_json::Value, new: serde_json::Value, number: &str| {
            let mut record = json!({
                "eventID": "1", "eventVersion": "1.1", "eventSource": "aws:dynamodb",
                "eventName": "MODIFY", "awsRegion": "eu-central-1",
                "eventSourceARN": "arn:aws:dynamodb:eu-central-1:1:table/t/stream/2026",
                "dynamodb": {
                    "ApproximateCreationDateTime": 1.7e9, "SizeBytes": 26,
                    "StreamViewType": "NEW_AND_OLD_IMAGES", "SequenceNumber": number,
                    "Keys": {"pk": {"S": "JOB#1"}, "sk": {"S": "HEAD"}},
                },
            });
            for (name, image) in [("OldImage", old), ("NewImage", new)] {
                if !image.is_null() {
                    record["dynamodb"][name] = image;
                }
            }
            record
        };
        let image = json!({
            "pk": {"S": "JOB#1"}, "sk": {"S": "HEAD"}, "n": {"N": "1.5"}, "big": {"B": "MWUzMDA="},
            "list": {"L": [{"NULL": true}, {"BOOL": false}, {"M": {"a": {"S": "ä"}}}]},
        });
        event["Records"] = json!([
            record(serde_json::Value::Null, image.clone(), "300000000000000499659"),
            record(image, serde_json::Value::Null, "300000000000000499660"),
        ]);
        changes(serde_json::from_value(event).unwrap()).unwrap()
    }

    #[test]
    fn an_event_is_read_with_its_shard() {
        let changes = event(json!({"shardId": "shardId-1", "window": {}, "state": {}}));
        let item = Item::from_json(r#"{"n":1.5,"big":1e300,"list":[null,false,{"a":"ä"}]}"#.into());
        let seen: Vec<_> = changes.iter().map(|change| (&change.old, &change.new)).collect();
        assert_eq!(seen, [(&None, &Some(item.clone())), (&Some(item), &None)]);
        assert!(changes.iter().all(|change| change.key == Key::new("JOB#1", "HEAD")));
        assert!(changes.iter().all(|change| *change.place.shard == *"shardId-1"));
        assert_eq!(changes[0].place.sequence.to_string(), "300000000000000499659");
        assert!(changes[0].place.sequence < changes[1].place.sequence);
    }

    #[test]
    fn an_event_without_a_window_is_of_one_shard() {
        assert!(event(json!({})).iter().all(|change| *change.place.shard == *UNNAMED));
    }

    #[test]
    fn the_end_of_a_window_brings_nothing() {
        let event = json!({"Records": [], "shardId": "s", "isFinalInvokeForWindow": true});
        assert_eq!(changes(serde_json::from_value(event).unwrap()).unwrap(), []);
    }
}
