//! The fleet view: pages of connected devices, for placement.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    device::Device,
    fleet::{self, Entry, Page},
};
use ports::Condition;
use serde::{Deserialize, Serialize};

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
        let old: Option<Stored> = table::load(records, &key).await?;
        let (condition, mut stored) = match old {
            Some(stored) => (Condition::Version(stored.version), stored),
            None => (Condition::Absent, Stored::default()),
        };
        let before = stored.page.clone();
        for ids in ids.chunks(100) {
            let keys: Vec<_> = ids.iter().map(|id| table::device(id)).collect();
            for (id, item) in ids.iter().zip(records.batch_get(&keys).await?) {
                let device: Option<Device> = item.map(table::decode).transpose()?;
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
        if table::store(records, key.clone(), &stored, condition).await?.is_ok() {
            app.caches().fleets.remove(scope);
            return Ok(());
        }
    }
}
