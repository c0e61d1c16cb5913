//! Acknowledgements: a device may forget a result once what became of it is on disk. Those of one
//! connection wait for the disk together, and go out together.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::FutureExt;
use ports::{Error, Result, Token};
use protocol::socket::{self, TaskAck};

use crate::{App, sessions::Connection};

/// How long those of one connection are gathered: the device misses nothing meanwhile, and is woken
/// once for many.
const GATHER: Duration = Duration::from_millis(5);

/// How many go out at once: fewer than may wait for a connection, beside other messages.
const MAX_AT_ONCE: usize = 128;

/// What is not on disk yet, by connection. There is an entry while a task waits for the disk.
#[derive(Default)]
pub(crate) struct Acks(Mutex<HashMap<String, Vec<String>>>);

impl Acks {
    /// Whether nobody waits for the connection yet, so that the caller has to.
    fn add(&self, connection: &str, ack: String) -> bool {
        let mut waiting = self.lock();
        if let Some(acks) = waiting.get_mut(connection) {
            acks.push(ack);
            return false;
        }
        waiting.insert(connection.to_owned(), vec![ack]);
        true
    }

    /// The oldest of them; when there are none, the next to come finds nobody waiting.
    fn take(&self, connection: &str) -> Vec<String> {
        let mut waiting = self.lock();
        let Some(acks) = waiting.get_mut(connection).filter(|acks| !acks.is_empty()) else {
            waiting.remove(connection);
            return Vec::new();
        };
        acks.drain(..acks.len().min(MAX_AT_ONCE)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<String>>> {
        // nothing that holds the lock can panic half-way through a change
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the device forget the result, once what became of it is on disk; the connection's next
/// message does not wait for that. If this is lost, the device sends the result again.
pub(super) async fn acknowledge(
    app: &App,
    connection: &Connection,
    task_id: String,
    fence: String,
    accepted: bool,
) {
    let ack = socket::encode(&TaskAck { task_id, fence, accepted });
    if !app.caches().acks.add(&connection.id, ack) {
        return;
    }
    let (app, connection) = (app.clone(), connection.id.clone());
    let records = app.ports.records.clone();
    let mut durable = Box::pin(async move { records.durable(Token::LATEST).await });
    match durable.as_mut().now_or_never() {
        // always so where what is written is on disk: there nothing may run after the handler
        Some(on_disk) => {
            let acks = app.caches().acks.take(&connection);
            send(&app, &connection, on_disk, acks).await;
            send_rest(&app, &connection).await;
        }
        None => drop(tokio::spawn(async move {
            app.ports.clock.sleep(GATHER).await;
            send_rest(&app, &connection).await;
        })),
    }
}

/// Those that came while others waited, until there are none.
async fn send_rest(app: &App, connection: &str) {
    loop {
        let acks = app.caches().acks.take(connection);
        if acks.is_empty() {
            return;
        }
        let on_disk = app.ports.records.durable(Token::LATEST).await;
        send(app, connection, on_disk, acks).await;
        app.ports.clock.sleep(GATHER).await;
    }
}

async fn send(app: &App, connection: &str, on_disk: Result<()>, acks: Vec<String>) {
    let sent = async {
        on_disk?;
        for ack in acks {
            app.ports.sockets.send(connection, ack).await?;
        }
        Ok::<_, Error>(())
    };
    if let Err(cause) = sent.await {
        tracing::debug!(%cause, connection, "acknowledgements were not sent");
    }
}
