//! Devices as customers see them: their own in full, shared ones without what is not theirs.

use domain::{
    device::{Device, Share, Status},
    name,
};
use protocol::rest::devices as rest;

use crate::{App, Error, OWN_DEVICE, Result, fold::stats::Stats, table, time};

mod drain;
pub mod logs;
mod walk;

pub use drain::drain;
pub(crate) use drain::tell_to_leave;
pub(crate) use walk::Shared;
use walk::{List, Walk};

/// A page of the devices that the customer can use, its own, then everyone's: all, or those in one
/// state.
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
    let (now, lease) = (app.now_ms(), app.lease());
    let fits = |device: &Device| wanted.is_none_or(|wanted| wanted == device.status(now, lease));
    let mut walk = Walk::new(app, customer, cursor)?;
    let mut page: Vec<Device> = Vec::new();
    let (mut last, mut next_cursor) = (None, None);
    'page: while let Some((list, devices)) = walk.devices().await? {
        for device in devices.into_iter().filter(fits) {
            // one more than the page takes says that there is another page
            if page.len() == limit {
                next_cursor = last;
                break 'page;
            }
            last = Some(walk::cursor(list, &device.id));
            page.push(device);
        }
    }
    let total = match (cursor, &next_cursor, wanted) {
        (None, None, _) => page.len() as u64,
        (_, _, None) => walk::count(app, customer).await?,
        (_, _, Some(_)) => {
            let mut walk = Walk::new(app, customer, None)?;
            let mut total = 0;
            while let Some((_, devices)) = walk.devices().await? {
                total += devices.into_iter().filter(fits).count() as u64;
            }
            total
        }
    };
    let stats = stats_of(app, &page).await?;
    let shown = page.iter().zip(&stats).map(|(device, stats)| show(app, customer, device, stats));
    Ok(rest::Devices { devices: shown.collect(), total, next_cursor })
}

/// One device that the customer can use.
pub async fn get(app: &App, customer: &str, id: &str) -> Result<rest::Device> {
    let device = usable(app, customer, id).await?;
    let stats = stats_of(app, std::slice::from_ref(&device)).await?;
    Ok(show(app, customer, &device, &stats.into_iter().next().unwrap_or_default()))
}

/// One device that the customer can use, as it is stored.
async fn usable(app: &App, customer: &str, id: &str) -> Result<Device> {
    if !name::is_id(id, "dev") {
        return Err(Error::no_device(id));
    }
    let records = &*app.ports.records;
    let found: Option<Device> = table::load(records, &table::device(id)).await?;
    let usable = |device: &Device| device.customer == customer || device.share == Share::Everyone;
    found.filter(usable).ok_or_else(|| Error::no_device(id))
}

/// One device of the customer's own, to do with it what nobody else may.
async fn owned(app: &App, customer: &str, id: &str) -> Result<Device> {
    if id == OWN_DEVICE {
        let message = "`dev_platform` is the platform itself, and its operator's alone; \
            `placement` says whether your work may run there";
        return Err(Error::Conflict(message.to_owned()));
    }
    let device = usable(app, customer, id).await?;
    if device.customer == customer {
        return Ok(device);
    }
    let message = "this device is shared with you and belongs to somebody else; only its owner \
        reads its log and drains it";
    Err(Error::Forbidden(message.to_owned()))
}

/// Sums over the devices that the customer can use.
pub async fn stats(app: &App, customer: &str) -> Result<rest::Stats> {
    let mut sums = rest::Stats::default();
    let mut walk = Walk::new(app, customer, None)?;
    while let Some((list, devices)) = walk.devices().await? {
        for device in &devices {
            sums.total += 1;
            let status = device.status(app.now_ms(), app.lease());
            if status != Status::Offline {
                let slots = device.capabilities.slots;
                sums.slots += u64::from(slots);
                sums.slots_free += u64::from(device.slots_free.min(slots));
            }
            *sums.by_status.entry(status.name().to_owned()).or_default() += 1;
            *sums.by_sdk_type.entry(device.sdk_type.clone()).or_default() += 1;
            *sums.by_instance_type.entry(device.instance_type.clone()).or_default() += 1;
        }
        if list == List::Own {
            for stats in stats_of(app, &devices).await? {
                sums.tasks_completed += stats.completed;
                sums.tasks_failed += stats.failed;
            }
        }
    }
    Ok(sums)
}

/// What these devices did.
async fn stats_of(app: &App, devices: &[Device]) -> Result<Vec<Stats>> {
    let mut all = Vec::with_capacity(devices.len());
    for devices in devices.chunks(100) {
        let keys: Vec<_> = devices.iter().map(|device| table::device_stats(&device.id)).collect();
        let items = app.ports.records.batch_get(&keys).await?;
        let stats = keys.iter().zip(items).map(|(key, item)| {
            item.and_then(|item| table::readable(key, &item)).unwrap_or_default()
        });
        all.extend(stats);
    }
    Ok(all)
}

fn show(app: &App, customer: &str, device: &Device, stats: &Stats) -> rest::Device {
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
        metrics: owned.then(|| metrics(stats)),
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
