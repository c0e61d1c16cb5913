//! Messages of a device that was let in, handled as the socket handles them.

use std::sync::Mutex;

use api::Entry;
use embedded::Connection;
use protocol::socket;
use service::{Error, sessions};

use super::{frames, world::world};
use crate::{Memory, Target};

pub(super) const TARGET: Target = Target {
    name: "socket",
    seeds,
    words: super::JSON,
    read,
    memory: Memory { base: 4 << 20, per_byte: 128 },
    cases: 400,
};

/// The first message of a connection, and those of a device that are handled.
fn seeds() -> Vec<Vec<u8>> {
    frames::seeds()
}

/// The connection of the device, while it has one.
static OPEN: Mutex<Option<(String, Connection)>> = Mutex::new(None);

fn read(input: &[u8]) {
    let Ok(frame) = std::str::from_utf8(input) else { return };
    let Some(kind) = socket::kind(frame) else { return };
    let world = world();
    let handler = world.routes.iter().find_map(|route| match &route.entry {
        Entry::Message(handled, handler) if *handled == kind => Some((route, handler)),
        _ => None,
    });
    let Some((route, handler)) = handler else { return };
    let mut open = OPEN.lock().unwrap_or_else(|poisoned| {
        OPEN.clear_poison();
        poisoned.into_inner()
    });
    world.run(async {
        let (id, mut connection) = match open.take() {
            Some(open) => open,
            None => connect().await,
        };
        let app = route.app(&world.app);
        let known = sessions::connection(&app, &id).await.unwrap_or_else(|cause| panic!("{cause}"));
        let Some(known) = known else { return };
        if let Err(Error::Internal(cause)) = handler(app, known, frame.to_owned()).await {
            panic!("{cause}");
        }
        while connection.try_recv().is_some() {}
        if kind != "bye" {
            *open = Some((id, connection));
        }
    });
}

/// A connection on which the device has said hello, with its id.
async fn connect() -> (String, Connection) {
    let world = world();
    let id = world.app.ports.clock.id("conn");
    let mut connection = world.open(&id);
    let hello = frames::seeds().swap_remove(0);
    let said = async {
        sessions::connect(&world.app, &id, &world.key, "http://localhost").await?;
        let known = sessions::connection(&world.app, &id).await?;
        let hello = serde_json::from_slice(&hello).map_err(Error::internal)?;
        if let Some(known) = known {
            sessions::hello(&world.app, &known, hello).await?;
        }
        Ok::<_, Error>(())
    };
    said.await.unwrap_or_else(|cause| panic!("the device was not let in: {cause}"));
    while connection.try_recv().is_some() {}
    (id, connection)
}
