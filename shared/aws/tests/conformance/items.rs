//! What the ports promise of items beyond their MUSTs: here it depends on how DynamoDB keeps them.

use conformance::Subject;
use ports::{Condition, Error, Item, Key, Query, Write};

use crate::cloud::Cloud;

fn put(key: &Key, json: &str) -> Write {
    Write::put(key.clone(), Item::from_json(json.to_owned().into()), Condition::Always)
}

#[tokio::test(flavor = "multi_thread")]
async fn items_come_back_as_they_were_written() {
    let cloud = Cloud::start().await;
    let (records, key) = (cloud.ports().records, Key::new("p", "s"));
    let items = [
        r#"{"empty":"","list":[],"map":{},"nested":[[null],{"a":{"b":null}}]}"#,
        r#"{"float":1.0,"huge":1e300,"precise":0.1,"tiny":5e-324,"zero":-0.0}"#,
        r#"{"i64":-9223372036854775808,"u64":18446744073709551615}"#,
        r#"{"digits":99999999999999999999999999999999999999,"more":123456789012345678901234567890123456789}"#,
    ];
    for json in items {
        records.write(put(&key, json)).await.unwrap();
        assert_eq!(records.get(&key).await.unwrap().unwrap().json(), json);
    }
    // small numbers take more room in DynamoDB than in JSON: what it refuses is too large
    let numbers = format!(r#"{{"n":[{}1]}}"#, "1,".repeat(190 * 1024));
    let refused = records.write(put(&key, &numbers)).await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_in_the_order_of_its_keys_even_where_they_repeat() {
    let cloud = Cloud::start().await;
    let records = cloud.ports().records;
    let key = |sort: &str| Key::new("p", sort);
    for sort in ["a", "b"] {
        records.write(put(&key(sort), &format!(r#"{{"is":"{sort}"}}"#))).await.unwrap();
    }
    let found = records.batch_get(&[key("b"), key("c"), key("a"), key("b")]).await.unwrap();
    let found: Vec<_> = found.iter().map(|item| item.as_ref().map(|item| item.json())).collect();
    let (a, b) = (bytes::Bytes::from(r#"{"is":"a"}"#), bytes::Bytes::from(r#"{"is":"b"}"#));
    assert_eq!(found, [Some(&b), None, Some(&a), Some(&b)]);
    assert!(records.batch_get(&[]).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_page_says_so_even_when_it_is_full() {
    let cloud = Cloud::start().await;
    let records = cloud.ports().records;
    for sort in ["a", "b", "c", "d"] {
        records.write(put(&Key::new("p", sort), "{}")).await.unwrap();
    }
    let first = records.query(Query::new("p", "", 2)).await.unwrap();
    assert_eq!((first.items.len(), first.next.as_deref()), (2, Some("b")));
    let rest = Query { after: first.next, ..Query::new("p", "", 2) };
    let last = records.query(rest).await.unwrap();
    assert_eq!((last.items.len(), last.next), (2, None));
}
