//! Devices come, stay and go: connect, hello, heartbeat, bye, disconnect.

use std::{collections::BTreeSet, sync::Arc};

use domain::{
    access::Scope,
    device::{Device, MAX_WARM},
    name,
};
use ports::{Checksum, Condition, Write};
use protocol::socket::{self, Bye, Drain, Fault, Heartbeat};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{App, Error, Result, access, batch, parked, table};

mod absence;
mod hello;

pub(crate) use absence::{found_gone, mark_draining, mark_leaving};
pub use absence::{found_lost, look_again};
pub use hello::hello;

/// How long the item of a connection is kept: longer than any connection lives (2 h).
const CONNECTION_SECONDS: u64 = 3 * 3600;

/// The longest address under which a device may have reached the platform: it is in the fleet view.
const MAX_BASE: usize = 512;

/// How many parked jobs are looked at when a device has room, however many slots it has.
const MAX_PULLED: u32 = 1000;

/// An open connection and what is known of who is behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// Names it.
    pub id: String,
    /// Whose key opened it.
    pub customer: String,
    /// That key's hash.
    key: String,
    /// Where the device reached the platform.
    pub base: String,
    /// The device, once it said hello.
    #[serde(default)]
    pub device: Option<String>,
    /// Its session, likewise.
    #[serde(default)]
    pub session: Option<String>,
    /// Its slots, likewise.
    #[serde(default)]
    slots: u32,
    expires_at: u64,
}

/// A device wants to connect with this key.
pub async fn connect(app: &App, connection: &str, secret: &str, base: &str) -> Result<()> {
    let caller = access::authenticate(app, secret, Scope::Devices).await?;
    if base.len() > MAX_BASE {
        let message = format!("the platform's address has at most {MAX_BASE} bytes");
        return Err(Error::invalid("host", message));
    }
    let connection = Connection {
        id: connection.to_owned(),
        customer: caller.customer,
        key: access::hash(secret),
        base: base.to_owned(),
        device: None,
        session: None,
        slots: 0,
        expires_at: app.now_ms() / 1000 + CONNECTION_SECONDS,
    };
    remember(app, connection).await
}

/// Puts what is known of a connection on record.
async fn remember(app: &App, connection: Connection) -> Result<()> {
    let item = table::encode(&connection)?;
    let key = table::connection(&connection.id);
    app.ports.records.write(Write::put(key, item, Condition::Always)).await?;
    app.caches().connections.insert(connection.id.clone(), Arc::new(connection));
    Ok(())
}

/// Who is behind a connection that says something; `None` for one that is over. One whose key was
/// revoked or has expired is told so and ends here.
pub async fn connection(app: &App, id: &str) -> Result<Option<Arc<Connection>>> {
    let Some(connection) = find(app, id).await? else { return Ok(None) };
    if access::opens(app, &connection.key, Scope::Devices).await? {
        return Ok(Some(connection));
    }
    let message = "the API key of this connection was revoked or has expired; connect with another";
    let fault = Fault { code: "AUTH_INVALID".to_owned(), message: message.to_owned() };
    if let Err(cause) = app.ports.sockets.send(id, socket::encode(&fault)).await {
        tracing::debug!(%cause, connection = id, "a device was not told that its key is gone");
    }
    app.ports.sockets.close(id).await?;
    Ok(None)
}

async fn find(app: &App, id: &str) -> Result<Option<Arc<Connection>>> {
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

/// The device is alive: one write renews everything in its hands. From an older session it changes
/// nothing, and of a device that is idle as before nothing is written.
pub async fn heartbeat(app: &App, connection: &Connection, beat: Heartbeat) -> Result<()> {
    let (Some(device), Some(session)) = (&connection.device, &connection.session) else {
        return Err(Error::invalid("type", "say `hello` first and wait for `welcome`"));
    };
    let free = beat.slots_free.min(connection.slots);
    let warm = checksums(beat.models);
    let mut known = false;
    // pieces of batches are on no slot, and are in its hands all the same
    if free == connection.slots && beat.batches == 0 {
        let stored: Option<Device> =
            table::load(&*app.ports.records, &table::device(device)).await?;
        let stored = stored.filter(|stored| stored.session == *session);
        let Some(stored) = stored else { return Ok(()) };
        known = stored.slots_free == free
            && stored.is_present()
            && !stored.draining
            && stored.warm.iter().collect::<BTreeSet<_>>() == warm.iter().collect();
    }
    if !known {
        let now = app.now_ms();
        let mut set = json!({
            "slots_free": free, "warm": warm, "renewed_ms": now, "seen_ms": now, "lost_ms": null,
        });
        if free > 0 {
            set["draining"] = false.into();
        }
        let condition = Condition::Fence(session.clone());
        let write = Write::update(table::device(device), table::encode(&set)?, condition);
        if table::unless_failed(app.ports.records.write(write).await)?.is_err() {
            return Ok(());
        }
    }
    pull(app, &connection.customer, free).await
}

/// What may be checksums of models, each once.
fn checksums(models: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut models: Vec<_> = models.into_iter().filter_map(|text| Checksum::parse(&text)).collect();
    models.retain(|checksum| seen.insert(*checksum));
    models.into_iter().take(MAX_WARM).map(|checksum| checksum.to_string()).collect()
}

/// Parked work for a device with so many free slots.
async fn pull(app: &App, customer: &str, slots: u32) -> Result<()> {
    match slots.min(MAX_PULLED) {
        0 => {}
        limit => parked::pull(app, customer, limit as usize).await?,
    }
    // beside the slots, whatever is on them
    batch::pull(app, customer, MAX_PULLED as usize).await?;
    Ok(())
}

/// Asks every device that is connected to this process to finish what it has and then to leave.
pub async fn drain_all(app: &App, reason: &str) {
    let drain = socket::encode(&Drain { reason: reason.to_owned() });
    let connections: Vec<_> = app.caches().connections.iter().map(|(id, _)| id).collect();
    for connection in connections {
        // one that is gone needs no telling
        if let Err(cause) = app.ports.sockets.send(&connection, drain.clone()).await {
            tracing::debug!(%cause, connection, "a device was not asked to leave");
        }
    }
}

/// The device leaves: what it still has is given to others at once.
pub async fn bye(app: &App, connection: &Connection, bye: Bye) -> Result<()> {
    tracing::info!(
        connection = connection.id,
        device = connection.device,
        reason = bye.reason,
        "bye"
    );
    absence::closed(app, connection, true).await?;
    Ok(app.ports.sockets.close(&connection.id).await?)
}

/// The socket closed. The session has a moment to come back; then its work is given to others.
pub async fn disconnect(app: &App, id: &str) -> Result<()> {
    let Some(connection) = find(app, id).await? else { return Ok(()) };
    app.caches().connections.remove(id);
    absence::closed(app, &connection, false).await?;
    let key = table::connection(id);
    app.ports.records.write(Write::delete(key, Condition::Always)).await?;
    Ok(())
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
