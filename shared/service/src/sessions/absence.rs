//! Devices that are not where they were: their socket closed, a send found them gone, their lease
//! ran out, or they were not heard of for long. And those that want no work.

use std::time::Duration;

use domain::device::Device;
use ports::{Condition, Error as PortError, Write};
use serde_json::{Value, json};

use super::Connection;
use crate::{App, Result, SESSIONS_QUEUE, fleet, sweep, table};

/// A connection on which nothing happens for so long is over, whoever still lists it. Idle devices
/// speak every 8 minutes.
pub(super) const UNHEARD: Duration = Duration::from_secs(600);

/// Marks the device as gone, unless it is back on another connection already.
pub(super) async fn closed(app: &App, connection: &Connection, for_good: bool) -> Result<()> {
    let Some(device) = &connection.device else { return Ok(()) };
    if !mark_closed(app, device, &connection.id, for_good).await? {
        return Ok(());
    }
    if for_good {
        return sweep::device(app, device).await;
    }
    let body = json!({ "device": device });
    let delay = Duration::from_millis(app.lease().closed_grace_ms);
    Ok(app.ports.queues.send(SESSIONS_QUEUE, &body, delay).await?)
}

/// A send found the connection gone.
pub(crate) async fn found_gone(app: &App, device: &str, connection: &str) -> Result<()> {
    mark_closed(app, device, connection, false).await?;
    Ok(())
}

/// Whether the device still named this connection. A session that ends for good ends in the past.
async fn mark_closed(app: &App, device: &str, connection: &str, for_good: bool) -> Result<bool> {
    let now = app.now_ms();
    let closed = if for_good { now.saturating_sub(app.lease().closed_grace_ms) } else { now };
    mark(app, device, connection, json!({ "closed_ms": closed })).await
}

/// Work of this session was given up because its lease was over: nothing more is sent there until
/// the device speaks again. Its connection is closed: one that lives after all, as after a machine's
/// sleep, connects again at once, where an idle one would say nothing for minutes.
pub async fn found_lost(app: &App, device: &str, session: &str) -> Result<()> {
    let records = &*app.ports.records;
    let found: Option<Device> = table::load(records, &table::device(device)).await?;
    let now = app.now_ms();
    let silent = |device: &Device| {
        device.session == session
            && device.is_present()
            && now > device.renewed_ms + app.lease().lease_ms
    };
    let Some(found) = found.filter(silent) else { return Ok(()) };
    let set = table::encode(&json!({ "lost_ms": now }))?;
    // a heartbeat in between wins
    let write = Write::update(table::device(device), set, Condition::Version(found.version));
    if table::unless_failed(records.write(write).await)?.is_ok() {
        fleet::forget(app, &found);
        app.ports.sockets.close(&found.connection).await?;
    }
    Ok(())
}

/// The device of this connection wants no work until it offers slots again.
pub(crate) async fn mark_draining(app: &App, connection: &Connection) -> Result<()> {
    if let (Some(device), Some(session)) = (&connection.device, &connection.session) {
        mark(app, device, session, json!({ "draining": true })).await?;
    }
    Ok(())
}

/// The device's owner wants it to leave; whether the session was current.
pub(crate) async fn mark_leaving(app: &App, device: &str, session: &str) -> Result<bool> {
    mark(app, device, session, json!({ "leaving": true })).await
}

/// Sets attributes of a device while `fence`, its session or connection, is current; whether it was.
async fn mark(app: &App, device: &str, fence: &str, set: Value) -> Result<bool> {
    let records = &*app.ports.records;
    let condition = Condition::Fence(fence.to_owned());
    let write = Write::update(table::device(device), table::encode(&set)?, condition);
    let ours = table::unless_failed(records.write(write).await)?.is_ok();
    if let Some(device) = table::load::<Device>(records, &table::device(device)).await? {
        fleet::forget(app, &device);
    }
    Ok(ours)
}

/// Has the connection looked at again after `delay`.
pub(super) async fn watch(
    app: &App,
    device: &str,
    connection: &str,
    delay: Duration,
) -> Result<()> {
    let body = json!({ "device": device, "connection": connection });
    Ok(app.ports.queues.send(SESSIONS_QUEUE, &body, delay).await?)
}

/// Ends a session whose connection was not heard of for [`UNHEARD`], such as when the platform
/// died and the device never came back; else looks again later.
pub async fn look_again(app: &App, device: &str, connection: &str) -> Result<()> {
    let found: Option<Device> = table::load(&*app.ports.records, &table::device(device)).await?;
    let current = |device: &Device| device.connection == connection && device.closed_ms.is_none();
    if !found.as_ref().is_some_and(current) {
        return Ok(());
    }
    let unheard_ms = UNHEARD.as_millis() as u64;
    let over_ms = match app.ports.sockets.last_activity(connection).await {
        Ok(active_ms) => active_ms + unheard_ms,
        Err(PortError::Gone) => 0,
        Err(error) => return Err(error.into()),
    };
    let left_ms = over_ms.saturating_sub(app.now_ms());
    if left_ms > 0 {
        let delay = Duration::from_millis(left_ms).min(UNHEARD);
        return watch(app, device, connection, delay).await;
    }
    app.ports.sockets.close(connection).await?;
    if mark_closed(app, device, connection, true).await? {
        sweep::device(app, device).await?;
    }
    Ok(())
}
