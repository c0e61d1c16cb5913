//! The platform's own device: tract, inside the function that needs the answer.

use std::{sync::Arc, time::Instant};

use async_trait::async_trait;
use bytes::Bytes;
use inference::Network;
use protocol::tensor::Named;
use quick_cache::sync::Cache;
use service::{Engine, Ran};
use tokio::sync::Semaphore;

/// How many models stay loaded.
const LOADED: usize = 32;

/// Runs that are expected to take longer than this leave the thread that serves requests, in
/// milliseconds; changing threads costs more than a short run.
const INLINE_MS: f64 = 0.5;

/// Loaded models, and as many runs at once as there are cores.
pub struct OwnDevice {
    models: Cache<String, Arc<Loaded>>,
    slots: Semaphore,
}

struct Loaded {
    network: Network,
    /// What the last run took, in milliseconds, as bits; infinite before the first.
    last_ms: std::sync::atomic::AtomicU64,
}

impl OwnDevice {
    /// A device that runs `slots` models at once.
    pub fn new(slots: usize) -> Self {
        Self { models: Cache::new(LOADED), slots: Semaphore::new(slots.max(1)) }
    }
}

impl Loaded {
    fn last_ms(&self) -> f64 {
        f64::from_bits(self.last_ms.load(std::sync::atomic::Ordering::Relaxed))
    }

    fn run(&self, inputs: &[Named], queue_ms: f64) -> Result<Ran, String> {
        let start = Instant::now();
        let outputs = self.network.run(inputs).map_err(|error| error.to_string())?;
        let compute_ms = start.elapsed().as_secs_f64() * 1000.0;
        self.last_ms.store(compute_ms.to_bits(), std::sync::atomic::Ordering::Relaxed);
        Ok(Ran { outputs, queue_ms, compute_ms })
    }
}

#[async_trait]
impl Engine for OwnDevice {
    fn has(&self, checksum: &str) -> bool {
        self.models.get(checksum).is_some()
    }

    async fn load(&self, checksum: &str, bytes: Bytes) -> Result<(), String> {
        let network = tokio::task::spawn_blocking(move || Network::load(&bytes))
            .await
            .map_err(|_| "the model could not be loaded".to_owned())?
            .map_err(|refused| refused.to_string())?;
        let last_ms = f64::INFINITY.to_bits().into();
        self.models.insert(checksum.to_owned(), Arc::new(Loaded { network, last_ms }));
        Ok(())
    }

    async fn run(&self, checksum: &str, inputs: Vec<Named>) -> Result<Ran, String> {
        let model = self.models.get(checksum).ok_or("the model is not loaded")?;
        let asked = Instant::now();
        let slot = self.slots.acquire().await.map_err(|_| "the platform is shutting down")?;
        let queue_ms = asked.elapsed().as_secs_f64() * 1000.0;
        let ran = if model.last_ms() <= INLINE_MS {
            model.run(&inputs, queue_ms)
        } else {
            tokio::task::spawn_blocking(move || model.run(&inputs, queue_ms))
                .await
                .map_err(|_| "the model could not be run".to_owned())?
        };
        drop(slot);
        ran
    }
}
