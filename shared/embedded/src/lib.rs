//! The seven ports on one directory of this machine: a crash-safe store, and the parts of a cloud
//! that a single process can be by itself.
//!
//! Records, their change feed and the queues share one log-structured engine and its journal; blobs
//! are files; sockets and functions are the process's own. See `docs/decisions/store.md`.

mod blobs;
mod care;
mod directory;
mod durability;
mod engine;
mod expiry;
mod feed;
mod functions;
mod journal;
mod keys;
mod lock;
mod queues;
mod sockets;
mod syncer;
mod table;
mod watch;

use std::{path::Path, sync::Arc, thread::JoinHandle};

use clock::SystemClock;
use ports::Ports;

pub use directory::OpenError;
pub use durability::{Durability, UnknownDurability};
pub use functions::LocalFunctions;
pub use sockets::{Connection, LocalSockets};

use self::{
    blobs::{Files, LocalBlobs},
    care::Stop,
    directory::Directory,
    engine::Engine,
    feed::LocalChanges,
    queues::LocalQueues,
    table::Table,
};

/// How a data directory is used.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What an acknowledged write survives.
    pub durability: Durability,
    /// The largest object, or part of one, that a presigned URL takes, in bytes.
    pub max_put: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { durability: Durability::default(), max_put: 1 << 30 }
    }
}

/// An open data directory.
pub struct Embedded {
    engine: Arc<Engine>,
    blobs: LocalBlobs,
    sockets: Arc<LocalSockets>,
    functions: Arc<LocalFunctions>,
    ports: Ports,
    max_put: u64,
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
    /// Given up last, when nothing is written any more.
    directory: Directory,
}

impl Embedded {
    /// Opens the data directory `path`, making it where there is none. What was acknowledged before
    /// a crash is there again.
    ///
    /// # Errors
    /// When another process has the directory, or it cannot be read.
    pub fn open(path: &Path, options: Options) -> Result<Self, OpenError> {
        let clock = Arc::new(SystemClock::new());
        let directory = Directory::open(path, &clock)?;
        let folder = directory.folder("store")?;
        let engine = Engine::open(&folder, options.durability, clock.clone())
            .map_err(|error| directory.store(error))?;
        let engine = Arc::new(engine);
        let queues = LocalQueues::open(engine.clone()).map_err(|error| directory.store(error))?;
        let files = Files::open(&directory, options.durability)?;
        let blobs = LocalBlobs::new(files, directory.secret, clock.clone());
        let sockets = Arc::new(LocalSockets::new(clock.clone()));
        let functions = Arc::new(LocalFunctions::default());
        let ports = Ports {
            records: Arc::new(Table(engine.clone())),
            changes: Arc::new(LocalChanges(engine.clone())),
            blobs: Arc::new(blobs.clone()),
            queues: Arc::new(queues),
            sockets: sockets.clone(),
            functions: functions.clone(),
            clock,
        };
        let mut store = Self {
            engine: engine.clone(),
            blobs,
            sockets,
            functions,
            ports,
            max_put: options.max_put,
            stop: Arc::default(),
            threads: Vec::new(),
            directory,
        };
        let (syncing, caring, stop) = (engine.clone(), engine, store.stop.clone());
        store.spawn("store-sync", move || syncing.syncer.run(&folder))?;
        store.spawn("store-care", move || care::run(&caring, &stop))?;
        Ok(store)
    }

    /// The ports, for as long as this is open.
    pub fn ports(&self) -> Ports {
        self.ports.clone()
    }

    /// The open connections, for the web server that owns them.
    pub fn sockets(&self) -> &Arc<LocalSockets> {
        &self.sockets
    }

    /// The functions of this process, for whoever provides them.
    pub fn functions(&self) -> &Arc<LocalFunctions> {
        &self.functions
    }

    /// The route `/_blobs/{key}` of the presigned URLs; it checks them itself.
    pub fn blob_router(&self) -> axum::Router {
        blobs::router(self.blobs.clone(), self.max_put)
    }

    /// Puts everything on disk and refuses what comes later. The directory is free once this
    /// returned and all ports are dropped.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn close(self) -> ports::Result<()> {
        let close = || {
            let database = self.engine.database.clone();
            drop(self);
            database.persist(fjall::PersistMode::SyncAll).map_err(ports::Error::unavailable)
        };
        tokio::task::spawn_blocking(close).await.map_err(ports::Error::unavailable)?
    }

    fn spawn(&mut self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body);
        self.threads.push(thread.map_err(|cause| self.directory.io(cause))?);
        Ok(())
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.stop.stop();
        self.engine.syncer.stop();
        for thread in self.threads.drain(..) {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}
