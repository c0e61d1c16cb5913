//! The fleet view: pages of connected devices, for placement.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    device::Device,
    fleet::{self, Entry, Page},
};
use ports::{Condition, Item, MAX_ITEM, Write};
use serde::{Deserialize, Serialize};

use super::Written;
use crate::{App, Result, table};

/// A page as it is stored.
#[derive(Default, Serialize, Deserialize)]
struct Stored {
    #[serde(flatten)]
    page: Page,
    #[serde(default)]
    version: u64,
}

/// Writes each page that a changed device stands on once, for devices by id and owner. The state of
/// a device is read again when its page is written, so that an old batch cannot bring an old state
/// back.
pub(super) async fn fold(app: &App, changed: BTreeSet<(String, String)>) -> Result<()> {
    let mut pages: BTreeMap<(String, u32), Vec<String>> = BTreeMap::new();
    for (id, customer) in changed {
        let shard = fleet::shard(&id);
        // a device that stopped sharing must leave everyone's page too
        for scope in [customer, fleet::EVERYONE.to_owned()] {
            pages.entry((scope, shard)).or_default().push(id.clone());
        }
    }
    for ((scope, shard), ids) in pages {
        fold_page(app, &scope, shard, &ids).await?;
    }
    Ok(())
}

async fn fold_page(app: &App, scope: &str, shard: u32, ids: &[String]) -> Result<()> {
    let records = &*app.ports.records;
    let key = table::pool_page(scope, shard);
    loop {
        let found = super::load(app, &key, |stored: &Stored| stored.version).await?;
        // one that cannot be read is begun anew: devices come back to it as they change
        let (mut stored, condition) =
            found.unwrap_or_else(|| (Stored::default(), Condition::Always));
        let before = stored.page.clone();
        for ids in ids.chunks(100) {
            let keys: Vec<_> = ids.iter().map(|id| table::device(id)).collect();
            let items = records.batch_get(&keys).await?;
            for ((id, key), item) in ids.iter().zip(&keys).zip(items) {
                let device: Option<Device> = item.and_then(|item| table::readable(key, &item));
                let entry = device
                    .filter(|device| fleet::scopes(device).iter().any(|s| s == scope))
                    .and_then(|device| Entry::of(&device));
                match entry {
                    Some(entry) => stored.page.devices.insert(id.clone(), entry),
                    None => stored.page.devices.remove(id),
                };
            }
        }
        if stored.page == before {
            return Ok(());
        }
        stored.version += 1;
        let item = fitting(&mut stored, ids, scope)?;
        match super::write(app, Write::put(key.clone(), item, condition)).await? {
            Written::Changed => {}
            Written::Yes | Written::Refused => {
                app.caches().fleets.remove(scope);
                return Ok(());
            }
        }
    }
}

/// The page as an item, without as many of the devices `ids` as it has no room for.
fn fitting(stored: &mut Stored, ids: &[String], scope: &str) -> Result<Item> {
    let mut item = table::encode(stored)?;
    for id in ids.iter().rev() {
        if item.json().len() <= MAX_ITEM {
            break;
        }
        if stored.page.devices.remove(id).is_some() {
            tracing::error!(
                device = id,
                scope,
                "a page of the fleet is full: nothing is sent here"
            );
            item = table::encode(stored)?;
        }
    }
    Ok(item)
}
