//! Lists of devices and how many there are.

use std::collections::BTreeSet;

use dcmp_service::devices;
use protocol::socket::{Hello, Share};

use crate::support::{Platform, hello};

fn shared(uuid: &str) -> Hello {
    Hello { share: Share::Everyone, ..hello(uuid) }
}

/// All pages of two: the ids, and that every page names the same total.
async fn walk(platform: &Platform, customer: &str, status: Option<&str>) -> (Vec<String>, u64) {
    let (mut ids, mut cursor, mut totals) = (Vec::new(), None, BTreeSet::new());
    loop {
        let page = devices::list(&platform.app, customer, status, cursor.as_deref(), 2).await;
        let page = page.unwrap();
        assert!(page.devices.len() == 2 || page.next_cursor.is_none());
        assert!(!page.devices.is_empty() || cursor.is_none(), "a page with nothing on it");
        ids.extend(page.devices.into_iter().map(|device| device.id));
        totals.insert(page.total);
        cursor = page.next_cursor;
        if cursor.is_none() {
            assert_eq!(totals.len(), 1, "{totals:?}");
            return (ids, totals.into_iter().next().unwrap());
        }
    }
}

#[tokio::test]
async fn every_device_is_listed_and_counted_once() {
    let platform = Platform::start().await;
    let (stranger, key) = platform.stranger().await;
    let mut own = Vec::new();
    for hello in [shared("a"), hello("b"), shared("c"), hello("d")] {
        own.push(platform.device_with(&platform.key, hello).await);
    }
    for hello in [shared("a"), shared("b"), hello("c")] {
        platform.device_with(&key, hello).await;
    }
    let (ids, total) = walk(&platform, &platform.customer, None).await;
    assert_eq!((ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), total), (6, 6, 6));
    let (ids, total) = walk(&platform, &stranger, None).await;
    assert_eq!((ids.len(), total), (5, 5));

    // the others' sockets were dropped without a word; these two are known to be gone
    own[0].disconnect().await;
    own[1].disconnect().await;
    for (status, expected) in [("offline", 2), ("idle", 4), ("busy", 0)] {
        let (ids, total) = walk(&platform, &platform.customer, Some(status)).await;
        assert_eq!((ids.len() as u64, total), (expected, expected), "{status}");
    }
    let sums = devices::stats(&platform.app, &platform.customer).await.unwrap();
    assert_eq!((sums.total, sums.slots), (6, 16));
}
