//! The platform's own device: tract, inside the function that needs the answer.

use std::{sync::Arc, time::Instant};

use async_trait::async_trait;
use bytes::Bytes;
use inference::Network;
use protocol::tensor::Named;
use quick_cache::{Weighter, sync::Cache};
use service::{Engine, Ran};
use tokio::sync::Semaphore;

/// About how many models stay loaded; what counts is their memory.
const LOADED: usize = 32;

/// A model takes so many times its file while it is loaded: the file, decoded, as tensors, and in the
/// plan of its first run.
const COPIES: u64 = 5;

/// What a model takes at least, in bytes.
const LEAST: u64 = 1 << 20;

/// Runs that are expected to take longer than this leave the thread that serves requests, in
/// milliseconds; changing threads costs more than a short run.
const INLINE_MS: f64 = 0.5;

/// Loaded models, and as many runs at once as there are cores.
pub struct OwnDevice {
    models: Cache<String, Arc<Loaded>, ByMemory>,
    slots: Semaphore,
    /// For pieces of batches.
    batches: Semaphore,
    memory: u64,
}

#[derive(Clone)]
struct ByMemory;

impl Weighter<String, Arc<Loaded>> for ByMemory {
    fn weight(&self, _: &String, loaded: &Arc<Loaded>) -> u64 {
        loaded.memory
    }
}

/// What a file of so many bytes may take, in bytes.
fn memory_of(file: u64) -> u64 {
    file.saturating_mul(COPIES).max(LEAST)
}

struct Loaded {
    network: Network,
    /// What it may take, in bytes.
    memory: u64,
    /// What the last run took, in milliseconds, as bits; infinite before the first.
    last_ms: std::sync::atomic::AtomicU64,
}

impl OwnDevice {
    /// A device that runs `slots` models at once, and whose models take `memory` bytes together.
    pub fn new(slots: usize, memory: u64) -> Self {
        let models = Cache::with_weighter(LOADED, memory, ByMemory);
        let slots = slots.max(1);
        let batches = Semaphore::new(slots.div_ceil(2));
        Self { models, slots: Semaphore::new(slots), batches, memory }
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

    fn run_stacked(&self, inputs: &[Named], queue_ms: f64) -> Result<(Ran, u32), String> {
        let start = Instant::now();
        let answers = self.network.run_requests(inputs)?;
        let failed = answers.failed().len() as u32;
        let compute_ms = start.elapsed().as_secs_f64() * 1000.0;
        Ok((Ran { outputs: answers.into_tensors(), queue_ms, compute_ms }, failed))
    }
}

#[async_trait]
impl Engine for OwnDevice {
    fn takes(&self, bytes: u64) -> bool {
        memory_of(bytes) <= self.memory
    }

    fn has(&self, checksum: &str) -> bool {
        self.models.get(checksum).is_some()
    }

    async fn load(&self, checksum: &str, bytes: Bytes) -> Result<(), String> {
        let memory = memory_of(bytes.len() as u64);
        let network = tokio::task::spawn_blocking(move || Network::load(&bytes))
            .await
            .map_err(|_| "the model could not be loaded".to_owned())?
            .map_err(|refused| refused.to_string())?;
        let last_ms = f64::INFINITY.to_bits().into();
        self.models.insert(checksum.to_owned(), Arc::new(Loaded { network, memory, last_ms }));
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

    async fn run_stacked(&self, checksum: &str, inputs: Vec<Named>) -> Result<(Ran, u32), String> {
        let model = self.models.get(checksum).ok_or("the model is not loaded")?;
        let asked = Instant::now();
        // half of the slots, so that calls that wait have the others
        let _turn = self.batches.acquire().await.map_err(|_| "the platform is shutting down")?;
        let slot = self.slots.acquire().await.map_err(|_| "the platform is shutting down")?;
        let queue_ms = asked.elapsed().as_secs_f64() * 1000.0;
        let ran = tokio::task::spawn_blocking(move || model.run_stacked(&inputs, queue_ms));
        let ran = ran.await.map_err(|_| "the model could not be run".to_owned())?;
        drop(slot);
        ran
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_into_its_memory_is_not_taken() {
        let device = OwnDevice::new(1, 100 << 20);
        assert!(device.takes(0) && device.takes(20 << 20));
        assert!(!device.takes((20 << 20) + 1) && !device.takes(u64::MAX));
    }
}
