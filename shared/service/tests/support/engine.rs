//! An own device that runs when a test lets it.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use dcmp_service::{Engine, Ran};
use protocol::tensor::{Answers, Named, Tensor, height};
use tokio::sync::Semaphore;

/// Gives a row of so many numbers for every permit.
pub struct Gate {
    pub permits: Semaphore,
    width: usize,
    begun: AtomicUsize,
}

impl Gate {
    pub fn new(width: usize) -> Self {
        Self { permits: Semaphore::new(0), width, begun: AtomicUsize::new(0) }
    }

    /// How many runs began.
    pub fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Engine for Gate {
    fn takes(&self, _: u64) -> bool {
        true
    }

    fn has(&self, _: &str) -> bool {
        true
    }

    async fn load(&self, _: &str, _: Bytes) -> Result<(), String> {
        Ok(())
    }

    async fn run(&self, _: &str, _: Vec<Named>) -> Result<Ran, String> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.permits.acquire().await.map_err(|error| error.to_string())?.forget();
        let tensor = Tensor::from_f32(vec![1, self.width], &vec![0.5; self.width]);
        let outputs = vec![Named { name: "output".to_owned(), tensor }];
        Ok(Ran { outputs, queue_ms: 0.0, compute_ms: 1.0 })
    }

    async fn run_stacked(&self, model: &str, inputs: Vec<Named>) -> Result<(Ran, u32), String> {
        let count = height(&inputs).ok_or("the inputs are not stacked")?;
        let mut answers = Vec::with_capacity(count);
        for _ in 0..count {
            answers.push(Ok(self.run(model, Vec::new()).await?.outputs));
        }
        let outputs = Answers::of(answers).into_tensors();
        Ok((Ran { outputs, queue_ms: 0.0, compute_ms: count as f64 }, 0))
    }
}
