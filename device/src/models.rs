//! Models on their way from the platform to memory: fetched once, kept on disk, loaded once.

mod loaded;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use inference::Network;
use protocol::socket::{ModelRef, TaskError};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use self::loaded::Loaded;
use crate::{
    background::Background,
    disk::{Disk, Pin, Room, hex_of},
    endpoint::Endpoint,
    http::{self, Http},
    link::Session,
    report::{Event, Report},
    results::failure,
};

/// How often a model that waits for room looks for some.
const LOOK: Duration = Duration::from_millis(50);

/// A model that is ready to run.
pub(crate) struct Model {
    pub network: Network,
    checksum: String,
    bytes: u64,
    /// What one request costs, in nanoseconds, averaged over the last runs.
    cost: AtomicU64,
    /// Its file stays as long as it is in memory: so memory holds no more than the disk may.
    _file: Pin,
}

impl Model {
    pub(crate) fn new(network: Network, checksum: String, bytes: u64, file: Pin) -> Self {
        Self { network, checksum, bytes, cost: AtomicU64::new(0), _file: file }
    }

    pub(crate) fn cost_ns(&self) -> u64 {
        self.cost.load(Ordering::Relaxed)
    }

    pub(crate) fn took(&self, ns: u64) {
        let before = self.cost_ns();
        let next = if before == 0 { ns } else { (before * 7 + ns) / 8 };
        self.cost.store(next.max(1), Ordering::Relaxed);
    }
}

/// A model and what it took to get it, in milliseconds.
#[derive(Clone)]
pub(crate) struct Got {
    pub model: Arc<Model>,
    pub fetch_ms: f64,
    pub load_ms: f64,
}

type Flight = Shared<BoxFuture<'static, Result<Got, TaskError>>>;

/// All models of this agent.
pub(crate) struct Models {
    disk: Arc<Disk>,
    /// How long a model waits for room on the disk.
    patience: Duration,
    http: Http,
    endpoint: Endpoint,
    session: Arc<Session>,
    report: Arc<Report>,
    background: Background,
    loaded: Mutex<Loaded>,
    flights: Mutex<HashMap<String, Flight>>,
}

impl Models {
    pub(crate) fn new(
        disk: Arc<Disk>,
        patience: Duration,
        http: Http,
        endpoint: Endpoint,
        session: Arc<Session>,
        report: Arc<Report>,
        background: Background,
    ) -> Self {
        let (loaded, flights) = Default::default();
        Self { disk, patience, http, endpoint, session, report, background, loaded, flights }
    }

    /// The model if it is in memory.
    pub(crate) fn loaded(&self, checksum: &str) -> Option<Arc<Model>> {
        lock(&self.loaded).get(checksum)
    }

    /// Checksums of the models in memory, the most recently used first.
    pub(crate) fn warm(&self) -> Vec<String> {
        lock(&self.loaded).checksums()
    }

    /// How many models are in memory.
    pub(crate) fn count(&self) -> usize {
        lock(&self.loaded).count()
    }

    /// Bytes of the models on disk.
    pub(crate) fn disk_bytes(&self) -> u64 {
        self.disk.bytes()
    }

    /// The model, from memory, disk or the platform. Tasks that need it at the same time share the work;
    /// it goes on when none of them waits any more.
    pub(crate) async fn get(
        self: &Arc<Self>,
        wanted: &ModelRef,
        task: &str,
    ) -> Result<Got, TaskError> {
        if let Some(model) = self.loaded(&wanted.checksum) {
            return Ok(Got { model, fetch_ms: 0.0, load_ms: 0.0 });
        }
        let flight = {
            let mut flights = lock(&self.flights);
            flights
                .entry(wanted.checksum.clone())
                .or_insert_with(|| self.take_off(wanted, task))
                .clone()
        };
        flight.await
    }

    fn take_off(self: &Arc<Self>, wanted: &ModelRef, task: &str) -> Flight {
        let (models, wanted, task) = (self.clone(), wanted.clone(), task.to_owned());
        let work = self.background.spawn(async move {
            let result = models.bring(&wanted, &task).await;
            lock(&models.flights).remove(&wanted.checksum);
            result
        });
        let landed = async {
            match work.await {
                Ok(Some(result)) => result,
                Ok(None) => Err(failure("DEVICE_ERROR", "the device ended", true)),
                Err(error) => Err(failure("DEVICE_ERROR", error.to_string(), true)),
            }
        };
        landed.boxed().shared()
    }

    async fn bring(self: &Arc<Self>, wanted: &ModelRef, task: &str) -> Result<Got, TaskError> {
        let Some(hex) = hex_of(&wanted.checksum).map(str::to_owned) else {
            let message = format!("`{}` is not `sha256:` and 64 hex digits", wanted.checksum);
            return Err(failure("MODEL_UNAVAILABLE", message, false));
        };
        let started = Instant::now();
        let mut fetch_ms = 0.0;
        let cached = {
            let (disk, hex) = (self.disk.clone(), hex.clone());
            blocking(move || disk.read(&hex)).await?
        };
        let (bytes, file) = match cached {
            Some(found) => found,
            None => {
                let room = self.room(wanted).await?;
                let found = self.fetch(wanted, &hex, task, room).await?;
                fetch_ms = ms(started);
                let (model_id, version, bytes) = (&wanted.id, wanted.version, found.0.len() as u64);
                self.report.tell(Event::ModelFetched {
                    model_id: model_id.clone(),
                    version,
                    bytes,
                    took_ms: fetch_ms,
                });
                found
            }
        };
        let started = Instant::now();
        let size = bytes.len() as u64;
        let network = blocking(move || Network::load(&bytes))
            .await?
            .map_err(|refused| failure("MODEL_UNREADABLE", refused.to_string(), false))?;
        let load_ms = ms(started);
        let checksum = wanted.checksum.clone();
        let model = Arc::new(Model::new(network, checksum, size, file));
        lock(&self.loaded).insert(model.clone());
        Ok(Got { model, fetch_ms, load_ms })
    }

    /// Room on the disk, as soon as the models in use leave some.
    async fn room(&self, wanted: &ModelRef) -> Result<Room, TaskError> {
        let started = Instant::now();
        loop {
            if let Some(room) = self.reserve(wanted.bytes) {
                return Ok(room);
            }
            if started.elapsed() >= self.patience {
                let mb = |bytes: u64| bytes as f64 / (1 << 20) as f64;
                let message = format!(
                    "model {}@{} takes {:.1} MB, which the models in use do not leave of the device's {} MB for models; raise its `--cache-mb`",
                    wanted.id,
                    wanted.version,
                    mb(wanted.bytes),
                    mb(self.disk.limit),
                );
                return Err(failure("MODEL_UNAVAILABLE", message, true));
            }
            // a task that ends gives no sign of what it leaves
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Room on the disk, for which models in memory go that no task uses.
    fn reserve(&self, bytes: u64) -> Option<Room> {
        let mut loaded = lock(&self.loaded);
        loop {
            match self.disk.reserve(bytes) {
                Ok(room) => return Some(room),
                Err(lacking) if loaded.idle_bytes() >= lacking => loaded.forget_idle(),
                Err(_) => return None,
            }
        }
    }

    /// Streams the model to disk, hashing it on the way.
    async fn fetch(
        &self,
        wanted: &ModelRef,
        hex: &str,
        task: &str,
        room: Room,
    ) -> Result<(Vec<u8>, Pin), TaskError> {
        let unavailable = |cause: String| {
            let message =
                format!("model {}@{} could not be fetched: {cause}", wanted.id, wanted.version);
            failure("MODEL_UNAVAILABLE", message, true)
        };
        let (url, token) = match &wanted.url {
            Some(url) => (http::parse(url).map_err(|e| unavailable(e.0))?, None),
            None => {
                let known = self.session.known();
                let (api, token) =
                    known.map_or((None, None), |known| (known.api, Some(known.token)));
                (self.endpoint.model(api.as_ref(), &wanted.id, wanted.version, task), token)
            }
        };
        let mut response =
            self.http.open(url, token.as_deref()).await.map_err(|e| unavailable(e.0))?;
        let part = Part(self.disk.part(hex));
        let disk = |error: std::io::Error| unavailable(format!("it cannot be kept: {error}"));
        let mut file = tokio::fs::File::create(&part.0).await.map_err(disk)?;
        let (mut hash, mut length) = (Sha256::new(), 0);
        while let Some(chunk) = http::chunk(&mut response).await.map_err(|e| unavailable(e.0))? {
            length += chunk.len() as u64;
            if length > wanted.bytes {
                return Err(unavailable(format!("it is longer than {} bytes", wanted.bytes)));
            }
            hash.update(&chunk);
            file.write_all(&chunk).await.map_err(disk)?;
        }
        file.flush().await.map_err(disk)?;
        let is = http::checksum_text(hash);
        if is != wanted.checksum {
            let message = format!(
                "model {}@{} came as {is} instead of {}",
                wanted.id, wanted.version, wanted.checksum
            );
            return Err(failure("MODEL_CHECKSUM", message, true));
        }
        let bytes = tokio::fs::read(&part.0).await.map_err(disk)?;
        let pin = room.keep(&part.0, hex, length).map_err(disk)?;
        Ok((bytes, pin))
    }
}

/// A file that is removed unless it was taken over.
struct Part(std::path::PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // renamed by then, when all went well
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, TaskError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| failure("DEVICE_ERROR", error.to_string(), true))
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
