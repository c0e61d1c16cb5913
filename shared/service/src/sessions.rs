//! Devices come, stay and go: connect, hello, heartbeat, bye, disconnect.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use domain::{
    access::Scope,
    device::{Capabilities, Device, Share},
    name,
};
use ports::{Condition, Item, Write};
use protocol::socket::{self, Bye, Heartbeat, Hello, Welcome};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{App, Error, Result, SESSIONS_QUEUE, access, fleet, parked, sweep, table, time};

/// How long the item of a connection is kept: longer than any connection lives (2 h).
const CONNECTION_SECONDS: u64 = 3 * 3600;

/// The most slots a device may claim.
const MAX_SLOTS: u32 = 1024;

/// An open connection and what is known of who is behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// Names it.
    pub id: String,
    /// Whose key opened it.
    pub customer: String,
    /// Where the device reached the platform.
    pub base: String,
    /// The device, once it said hello.
    #[serde(default)]
    pub device: Option<String>,
    /// Its session, likewise.
    #[serde(default)]
    pub session: Option<String>,
    expires_at: u64,
}

/// A device wants to connect with this key.
pub async fn connect(app: &App, connection: &str, secret: &str, base: &str) -> Result<()> {
    let caller = access::authenticate(app, secret, Scope::Devices).await?;
    let connection = Connection {
        id: connection.to_owned(),
        customer: caller.customer,
        base: base.to_owned(),
        device: None,
        session: None,
        expires_at: app.now_ms() / 1000 + CONNECTION_SECONDS,
    };
    let item = table::encode(&connection)?;
    let key = table::connection(&connection.id);
    app.ports.records.write(Write::put(key, item, Condition::Always)).await?;
    app.caches().connections.insert(connection.id.clone(), Arc::new(connection));
    Ok(())
}

/// Who is behind a connection; `None` for one that is over.
pub async fn connection(app: &App, id: &str) -> Result<Option<Arc<Connection>>> {
    if let Some(connection) = app.caches().connections.get(id) {
        return Ok(Some(connection));
    }
    let found: Option<Connection> =
        table::load(&*app.ports.records, &table::connection(id)).await?;
    let found = found.map(Arc::new);
    if let Some(connection) = &found {
        app.caches().connections.insert(id.to_owned(), connection.clone());
    }
    Ok(found)
}

/// The device says who it is: its session begins, or goes on.
pub async fn hello(app: &App, connection: &Connection, hello: Hello) -> Result<()> {
    check(&hello)?;
    let records = &*app.ports.records;
    let digest = table::sha256_hex(&[&connection.customer, &hello.uuid]);
    let id = format!("dev_{}", &digest[..32]);
    let resume = hello.resume.as_deref().map(access::hash);
    let (device, token) = loop {
        let old: Option<Device> = table::load(records, &table::device(&id)).await?;
        let now = app.now_ms();
        let resumes = old.as_ref().is_some_and(|old| {
            resume.as_ref() == Some(&old.session)
                && !old.has_lost(&old.session, now.saturating_sub(1), now, app.lease())
        });
        let (session, token) = match (&hello.resume, &resume) {
            (Some(token), Some(hash)) if resumes => (hash.clone(), token.clone()),
            _ => {
                let token = access::new_secret(&*app.ports.clock, &format!("{id}."));
                (access::hash(&token), token)
            }
        };
        let device = describe(&hello, connection, &id, session, old.as_ref(), now);
        let condition = match &old {
            Some(old) => Condition::Version(old.version),
            None => Condition::Absent,
        };
        if let Err(_changed) = table::store(records, table::device(&id), &device, condition).await?
        {
            continue;
        }
        if let Some(old) = old.filter(|old| old.connection != connection.id) {
            app.ports.sockets.close(&old.connection).await?;
        }
        break (device, token);
    };
    point_to(app, &device).await?;
    let known = Connection {
        device: Some(id.clone()),
        session: Some(device.session.clone()),
        ..connection.clone()
    };
    let key = table::connection(&connection.id);
    records.write(Write::put(key, table::encode(&known)?, Condition::Always)).await?;
    app.caches().connections.insert(known.id.clone(), Arc::new(known));
    fleet::forget(app, &device);
    let welcome = Welcome {
        device_id: id,
        session_token: token,
        heartbeat_ms: app.lease().heartbeat_ms,
        lease_ms: app.lease().lease_ms,
        server_time: time::rfc3339(app.now_ms()),
    };
    app.ports.sockets.send(&connection.id, socket::encode(&welcome)).await?;
    parked::pull(app, &device.customer, device.slots_free as usize).await
}

fn check(hello: &Hello) -> Result<()> {
    name::uuid(&hello.uuid).map_err(|error| Error::invalid("uuid", error.to_string()))?;
    if let Some(text) = &hello.name {
        name::label(text).map_err(|error| Error::invalid("name", error.to_string()))?;
    }
    if !matches!(hello.sdk_type.as_str(), "rust" | "python" | "nodejs" | "windows") {
        let message = "expected `rust`, `python`, `nodejs` or `windows`";
        return Err(Error::invalid("sdk_type", message));
    }
    if !(1..=32).contains(&hello.sdk_version.len()) {
        return Err(Error::invalid("sdk_version", "expected a semantic version such as 1.1.6"));
    }
    if !(1..=MAX_SLOTS).contains(&hello.capabilities.slots) {
        return Err(Error::invalid("capabilities.slots", format!("expected 1 to {MAX_SLOTS}")));
    }
    if hello.capabilities.formats.len() > 8 {
        return Err(Error::invalid("capabilities.formats", "expected at most 8 formats"));
    }
    Ok(())
}

fn describe(
    hello: &Hello,
    connection: &Connection,
    id: &str,
    session: String,
    old: Option<&Device>,
    now: u64,
) -> Device {
    let resumed = old.filter(|old| old.session == session);
    let fences = BTreeMap::from([(session.clone(), 0), (connection.id.clone(), 0)]);
    let capabilities = &hello.capabilities;
    let share = match hello.share {
        socket::Share::Own => Share::Own,
        socket::Share::Everyone => Share::Everyone,
    };
    let instance_type = match hello.instance_type {
        socket::InstanceType::User => "user",
        socket::InstanceType::Aws => "aws",
    };
    Device {
        id: id.to_owned(),
        customer: connection.customer.clone(),
        uuid: hello.uuid.clone(),
        name: hello.name.clone(),
        sdk_type: hello.sdk_type.clone(),
        sdk_version: hello.sdk_version.clone(),
        instance_type: instance_type.to_owned(),
        share,
        hardware: serde_json::to_value(&hello.hardware).unwrap_or_default(),
        capabilities: Capabilities {
            formats: capabilities.formats.clone(),
            inference: capabilities.inference,
            training: capabilities.training,
            gpu: capabilities.gpu,
            slots: capabilities.slots,
            max_model_mb: capabilities.max_model_mb,
        },
        session,
        connection: connection.id.clone(),
        fences,
        base: connection.base.clone(),
        renewed_ms: now,
        closed_ms: None,
        draining: resumed.is_some_and(|old| old.draining),
        slots_free: resumed.map_or(capabilities.slots, |old| old.slots_free),
        warm: resumed.map(|old| old.warm.clone()).unwrap_or_default(),
        connected_ms: resumed.map_or(now, |old| old.connected_ms),
        seen_ms: now,
        version: old.map_or(1, |old| old.version + 1),
    }
}

/// The rows by which lists find the device; a device that stopped sharing leaves everyone's.
async fn point_to(app: &App, device: &Device) -> Result<()> {
    let records = &*app.ports.records;
    let own = table::owned(&device.customer, "DEV", &device.id);
    records.write(Write::put(own, Item::default(), Condition::Always)).await?;
    let everyone = table::owned(domain::fleet::EVERYONE, "DEV", &device.id);
    let write = match device.share {
        Share::Everyone => Write::put(everyone, Item::default(), Condition::Always),
        Share::Own => Write::delete(everyone, Condition::Always),
    };
    records.write(write).await?;
    Ok(())
}

/// The device is alive: one write renews everything in its hands. From an older session it
/// changes nothing.
pub async fn heartbeat(app: &App, connection: &Connection, beat: Heartbeat) -> Result<()> {
    let (Some(device), Some(session)) = (&connection.device, &connection.session) else {
        return Err(Error::invalid("type", "say `hello` first and wait for `welcome`"));
    };
    let now = app.now_ms();
    let free = beat.slots_free;
    let warm: Vec<_> = beat.models.into_iter().take(256).collect();
    let set = table::encode(&json!({
        "slots_free": free, "warm": warm, "renewed_ms": now, "seen_ms": now,
    }))?;
    let condition = Condition::Fence(session.clone());
    let write = Write::update(table::device(device), set, condition);
    // an older session's heartbeat is late news
    if table::unless_failed(app.ports.records.write(write).await)?.is_ok() && free > 0 {
        parked::pull(app, &connection.customer, free as usize).await?;
    }
    Ok(())
}

/// The device leaves: what it still has is given to others at once.
pub async fn bye(app: &App, connection: &Connection, bye: Bye) -> Result<()> {
    tracing::info!(
        connection = connection.id,
        device = connection.device,
        reason = bye.reason,
        "bye"
    );
    closed(app, connection, true).await?;
    Ok(app.ports.sockets.close(&connection.id).await?)
}

/// The socket closed. The session has a moment to come back; then its work is given to others.
pub async fn disconnect(app: &App, id: &str) -> Result<()> {
    let Some(connection) = connection(app, id).await? else { return Ok(()) };
    app.caches().connections.remove(id);
    closed(app, &connection, false).await?;
    let key = table::connection(id);
    app.ports.records.write(Write::delete(key, Condition::Always)).await?;
    Ok(())
}

/// Marks the device as gone, unless it is back on another connection already.
async fn closed(app: &App, connection: &Connection, for_good: bool) -> Result<()> {
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
    let set = table::encode(&json!({ "closed_ms": closed }))?;
    let condition = Condition::Fence(connection.to_owned());
    let write = Write::update(table::device(device), set, condition);
    let ours = table::unless_failed(app.ports.records.write(write).await)?.is_ok();
    if let Some(device) = table::load::<Device>(&*app.ports.records, &table::device(device)).await?
    {
        fleet::forget(app, &device);
    }
    Ok(ours)
}

/// The device behind a session token (`X-SDK-Token`).
pub async fn authenticate(app: &App, token: &str) -> Result<String> {
    let invalid = || {
        let message = "the session token in X-SDK-Token is unknown or its session is over";
        Error::AuthInvalid(message.to_owned())
    };
    let (id, _) = token.split_once('.').ok_or_else(invalid)?;
    if !name::is_id(id, "dev") {
        return Err(invalid());
    }
    let device: Option<Device> = table::load(&*app.ports.records, &table::device(id)).await?;
    let now = app.now_ms();
    let current = device.filter(|device| {
        device.session == access::hash(token)
            && !device.has_lost(&device.session, now, now, app.lease())
    });
    current.map(|device| device.id).ok_or_else(invalid)
}
