//! Creating things over the real store of one machine: once for an `Idempotency-Key`, and without
//! leaving a secret behind.

#![allow(clippy::unwrap_used, reason = "tests")]

mod keys;
mod once;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use dcmp_service::{App, Settings, access};
use embedded::{Embedded, Options};
use ports::Clock;

/// A store in a directory of its own, and the time in the hands of the test.
struct World {
    app: App,
    clock: Arc<Shifted>,
    _store: Embedded,
    _directory: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Embedded::open(directory.path(), Options::default()).unwrap();
        let mut ports = store.ports();
        let clock = Arc::new(Shifted { inner: ports.clock.clone(), by_ms: AtomicU64::new(0) });
        ports.clock = clock.clone();
        let app = App::new(ports, settings(true), None);
        Self { app, clock, _store: store, _directory: directory }
    }

    /// The same platform where others reach it.
    fn in_public(&self) -> App {
        App::new((*self.app.ports).clone(), settings(false), None)
    }
}

fn settings(chosen_keys: bool) -> Settings {
    Settings {
        version: "test".to_owned(),
        admin_key_hash: access::hash("admin"),
        chosen_keys,
        public_url: None,
        bounded_answers: false,
        upload_limit: 1 << 20,
        uploads: Default::default(),
        lease: Default::default(),
    }
}

struct Shifted {
    inner: Arc<dyn Clock>,
    by_ms: AtomicU64,
}

impl Shifted {
    fn pass(&self, seconds: u64) {
        self.by_ms.fetch_add(seconds * 1000, Ordering::Relaxed);
    }
}

#[async_trait]
impl Clock for Shifted {
    fn now_us(&self) -> u64 {
        self.inner.now_us() + self.by_ms.load(Ordering::Relaxed) * 1000
    }

    fn id(&self, prefix: &str) -> String {
        self.inner.id(prefix)
    }

    fn random(&self, bytes: &mut [u8]) {
        self.inner.random(bytes);
    }

    async fn sleep(&self, duration: Duration) {
        self.inner.sleep(duration).await;
    }
}
