//! The fleet view, read for placement.

use std::sync::Arc;

use domain::{
    device::Device,
    fleet::{Entry, Page, SHARDS},
};
use ports::{Item, Key, Query};

use crate::{App, Result, cache, table};

/// The pages of a scope. A view that is `fresh` bypasses the cache and, while the feed has not
/// folded anything yet, looks at the devices themselves.
pub(crate) async fn view(app: &App, scope: &str, fresh: bool) -> Result<Arc<Vec<Page>>> {
    let now = app.now_ms();
    if !fresh && let Some(pages) = app.caches().fleets.get(scope, now, cache::FLEET_MS) {
        return Ok(pages);
    }
    let query = Query::new(table::pool(scope), "", SHARDS as usize);
    let found = app.ports.records.query(query).await?;
    let readable =
        |(sort, item): (String, Item)| table::readable(&Key::new(table::pool(scope), sort), &item);
    let mut pages: Vec<Page> = found.items.into_iter().filter_map(readable).collect();
    if fresh && pages.iter().all(|page| page.devices.is_empty()) {
        pages = vec![look(app, scope).await?];
    }
    let pages = Arc::new(pages);
    app.caches().fleets.insert(scope, now, pages.clone());
    Ok(pages)
}

/// A view made from the devices themselves: for those that connected a moment ago.
async fn look(app: &App, scope: &str) -> Result<Page> {
    let records = &*app.ports.records;
    let query = Query::new(table::owner(scope), "DEV#", 100);
    let pointers = records.query(query).await?;
    let keys: Vec<_> = pointers
        .items
        .iter()
        .filter_map(|(sort, _)| sort.strip_prefix("DEV#"))
        .map(table::device)
        .collect();
    let mut page = Page::default();
    for (key, item) in keys.iter().zip(records.batch_get(&keys).await?) {
        let device: Option<Device> = item.and_then(|item| table::readable(key, &item));
        let Some(device) = device else { continue };
        if let Some(entry) = Entry::of(&device) {
            page.devices.insert(device.id, entry);
        }
    }
    Ok(page)
}

/// Forgets what this process knows of a device's scopes, because it just changed.
pub(crate) fn forget(app: &App, device: &Device) {
    for scope in domain::fleet::scopes(device) {
        app.caches().fleets.remove(&scope);
    }
}
