//! `hello`: a device says who it is and what it can do; its session begins, or goes on.

use std::collections::BTreeMap;

use domain::{
    device::{Capabilities, Device, Share},
    name,
};
use ports::{Condition, Item, Write};
use protocol::socket::{self, Hello, Welcome};

use super::{Connection, absence, pull, remember};
use crate::{App, Error, Result, access, devices, fleet, table, time};

/// The most slots a device may claim.
const MAX_SLOTS: u32 = 1024;

/// The most file formats that a device may name, and the length of each: they are in the fleet view.
const MAX_FORMATS: usize = 8;
const MAX_FORMAT: usize = 32;

/// The longest text that describes a part of the machine, in characters.
const MAX_HARDWARE: usize = 200;

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
        slots: device.capabilities.slots,
        ..connection.clone()
    };
    remember(app, known).await?;
    fleet::forget(app, &device);
    let welcome = Welcome {
        device_id: id.clone(),
        session_token: token,
        heartbeat_ms: app.lease().heartbeat_ms,
        lease_ms: app.lease().lease_ms,
        server_time: time::rfc3339(app.now_ms()),
        api_url: app.settings().public_url.clone(),
    };
    app.ports.sockets.send(&connection.id, socket::encode(&welcome)).await?;
    if device.leaving {
        // it may never have heard of it
        devices::tell_to_leave(app, &device).await?;
    }
    absence::watch(app, &id, &connection.id, absence::UNHEARD).await?;
    pull(app, &device.customer, device.slots_free).await
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
    let formats = &hello.capabilities.formats;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let named = |name: &String| (1..=MAX_FORMAT).contains(&name.len()) && name.chars().all(plain);
    if formats.len() > MAX_FORMATS || !formats.iter().all(named) {
        let message = format!("expected at most {MAX_FORMATS} names such as `onnx`");
        return Err(Error::invalid("capabilities.formats", message));
    }
    let hardware = &hello.hardware;
    let gpu = hardware.gpu.as_ref().map_or("", |gpu| &gpu.name);
    let texts = [
        ("os", &*hardware.os),
        ("arch", &hardware.arch),
        ("cpu", &hardware.cpu),
        ("gpu.name", gpu),
    ];
    for (field, text) in texts {
        if text.chars().count() > MAX_HARDWARE {
            let message = format!("expected at most {MAX_HARDWARE} characters");
            return Err(Error::invalid(format!("hardware.{field}"), message));
        }
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
        name: hello.name.as_deref().map(|name| name.trim().to_owned()),
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
            batches: capabilities.batches,
        },
        session,
        connection: connection.id.clone(),
        fences,
        base: connection.base.clone(),
        renewed_ms: now,
        closed_ms: None,
        lost_ms: None,
        draining: false,
        leaving: resumed.is_some_and(|old| old.leaving),
        slots_free: resumed.map_or(u32::MAX, |old| old.slots_free).min(capabilities.slots),
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
        Share::Everyone => {
            let pointer = devices::Shared { customer: device.customer.clone() };
            Write::put(everyone, table::encode(&pointer)?, Condition::Always)
        }
        Share::Own => Write::delete(everyone, Condition::Always),
    };
    records.write(write).await?;
    Ok(())
}
