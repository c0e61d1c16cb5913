//! Devices as customers see them: their own in full, shared ones without what is not theirs.

use domain::{
    device::{Device, Share, Status},
    fleet::EVERYONE,
    name,
};
use ports::Order;
use protocol::rest::devices as rest;

use crate::{App, Error, Result, fold::stats::Stats, table, time};

/// A page of the devices that the customer can use: its own, then everyone's.
pub async fn list(
    app: &App,
    customer: &str,
    status: Option<&str>,
    cursor: Option<&str>,
    limit: usize,
) -> Result<rest::Devices> {
    let wanted = status.map(|name| {
        Status::parse(name).ok_or_else(|| {
            Error::invalid("status", "expected `idle`, `busy`, `draining` or `offline`")
        })
    });
    let wanted = wanted.transpose()?;
    let records = &*app.ports.records;
    // the cursor says which list it walks: `o` own, `s` shared
    let (mut list, mut after) = match cursor.map(|cursor| cursor.split_at_checked(1)) {
        None => ("o", None),
        Some(Some(("o", id))) => ("o", Some(id.to_owned())),
        Some(Some(("s", id))) => ("s", Some(id.to_owned()).filter(|id| !id.is_empty())),
        Some(_) => return Err(Error::invalid("cursor", "take it from `next_cursor` of a page")),
    };
    let mut devices = Vec::new();
    let next_cursor = loop {
        let scope = if list == "o" { customer } else { EVERYONE };
        let left = limit - devices.len();
        let (pointers, next) = table::page(
            records,
            table::owner(scope),
            "DEV#",
            after.as_deref(),
            left,
            Order::Ascending,
        )
        .await?;
        let ids: Vec<String> = pointers.into_iter().map(|(id, _)| id).collect();
        for device in fetch(app, &ids).await? {
            let shown_before = list == "s" && device.0.customer == customer;
            let fits =
                wanted.is_none_or(|wanted| wanted == device.0.status(app.now_ms(), app.lease()));
            if !shown_before && fits {
                devices.push(show(app, customer, &device.0, device.1));
            }
        }
        match next {
            Some(next) if devices.len() >= limit => break Some(format!("{list}{next}")),
            Some(next) => after = Some(next),
            None if list == "o" && devices.len() >= limit => break Some("s".to_owned()),
            None if list == "o" => (list, after) = ("s", None),
            None => break None,
        }
    };
    let total = match (cursor, &next_cursor) {
        (None, None) => devices.len() as u64,
        _ => {
            let own = table::count(records, &table::owner(customer), "DEV#").await?;
            own + table::count(records, &table::owner(EVERYONE), "DEV#").await?
        }
    };
    Ok(rest::Devices { devices, total, next_cursor })
}

/// One device that the customer can use.
pub async fn get(app: &App, customer: &str, id: &str) -> Result<rest::Device> {
    if !name::is_id(id, "dev") {
        return Err(Error::no_device(id));
    }
    let found = fetch(app, &[id.to_owned()]).await?.pop();
    let usable = |(device, _): &(Device, Stats)| {
        device.customer == customer || device.share == Share::Everyone
    };
    let (device, stats) = found.filter(usable).ok_or_else(|| Error::no_device(id))?;
    Ok(show(app, customer, &device, stats))
}

/// Sums over the devices that the customer can use.
pub async fn stats(app: &App, customer: &str) -> Result<rest::Stats> {
    let mut sums = rest::Stats::default();
    let mut cursor = None;
    loop {
        let page = list(app, customer, None, cursor.as_deref(), 200).await?;
        for device in page.devices {
            sums.total += 1;
            if device.status != Status::Offline.name() {
                let slots = device.capabilities["slots"].as_u64().unwrap_or(0);
                sums.slots += slots;
                sums.slots_free += slots.saturating_sub(device.current_tasks.into());
            }
            *sums.by_status.entry(device.status).or_default() += 1;
            *sums.by_sdk_type.entry(device.sdk_type).or_default() += 1;
            *sums.by_instance_type.entry(device.instance_type).or_default() += 1;
            if let Some(metrics) = device.metrics {
                sums.tasks_completed += metrics.tasks_completed;
                sums.tasks_failed += metrics.tasks_failed;
            }
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(sums);
        }
    }
}

/// Devices with what they did, those that exist.
async fn fetch(app: &App, ids: &[String]) -> Result<Vec<(Device, Stats)>> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(50) {
        let keys: Vec<_> =
            ids.iter().flat_map(|id| [table::device(id), table::device_stats(id)]).collect();
        let items = app.ports.records.batch_get(&keys).await?;
        let mut items = items.into_iter();
        while let (Some(device), Some(stats)) = (items.next(), items.next()) {
            let Some(device) = device else { continue };
            let stats = stats.map(table::decode).transpose()?.unwrap_or_default();
            found.push((table::decode(device)?, stats));
        }
    }
    Ok(found)
}

fn show(app: &App, customer: &str, device: &Device, stats: Stats) -> rest::Device {
    let owned = device.customer == customer;
    let hardware = |field: &str| device.hardware[field].as_str().unwrap_or("unknown").to_owned();
    let status = device.status(app.now_ms(), app.lease());
    let current_tasks = match status {
        Status::Offline => 0,
        _ => device.capabilities.slots.saturating_sub(device.slots_free),
    };
    rest::Device {
        id: device.id.clone(),
        uuid: owned.then(|| device.uuid.clone()),
        name: device.name.clone().filter(|_| owned),
        status: status.name().to_owned(),
        sdk_type: device.sdk_type.clone(),
        sdk_version: device.sdk_version.clone(),
        platform: format!("{}/{}", hardware("os"), hardware("arch")),
        instance_type: device.instance_type.clone(),
        share: if device.share == Share::Everyone { "everyone" } else { "own" }.to_owned(),
        owned,
        hardware: owned.then(|| device.hardware.clone()),
        capabilities: serde_json::to_value(&device.capabilities).unwrap_or_default(),
        metrics: owned.then(|| metrics(&stats)),
        current_tasks,
        connected_at: time::rfc3339(device.connected_ms),
        last_seen_at: time::rfc3339(device.seen_ms),
    }
}

fn metrics(stats: &Stats) -> rest::Metrics {
    rest::Metrics {
        tasks_completed: stats.completed,
        tasks_failed: stats.failed,
        avg_latency_ms: stats.latency_ms / stats.completed.max(1) as f64,
        cpu_ms: stats.cpu_ms as u64,
        gpu_ms: stats.gpu_ms as u64,
    }
}
