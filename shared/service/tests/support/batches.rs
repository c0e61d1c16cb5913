//! Batches, and devices that answer pieces of them: with the first number of each input.

use std::time::Duration;

use dcmp_service::{
    BATCH_QUEUE, Result,
    batch::{self, Call, Submitted, Wake},
    jobs, tasks,
};
use domain::job::Input;
use ports::Message;
use protocol::{
    rest::batch as rest,
    socket::{DeviceTimings, Payload, TaskDone, TaskRun},
    tensor::{Answers, Named, Tensor, from_safetensors, height, unstack},
};
use serde_json::{Value, json};

use super::{Device, Platform, done};

/// The inputs `0…count`, each a row of two numbers, the first of them its place.
pub fn inputs(count: usize) -> Vec<Value> {
    (0..count).map(|index| json!({ "data": [index, 0], "shape": [1, 2] })).collect()
}

impl Platform {
    /// Submits a batch; its id.
    pub async fn batch(&self, model: &str, inputs: &[Value]) -> String {
        self.batch_of(json!({ "model_id": model, "inputs": inputs })).await.unwrap()
    }

    pub async fn batch_of(&self, body: Value) -> Result<String> {
        self.batch_once(body, None).await
    }

    /// Submits a batch with an `Idempotency-Key`.
    pub async fn batch_once(&self, body: Value, key: Option<&str>) -> Result<String> {
        let call =
            Call { customer: &self.customer, idempotency_key: key, body_hash: body.to_string() };
        match batch::submit(&self.app, call, &serde_json::from_value(body).unwrap()).await? {
            Submitted::Accepted(accepted) => Ok(accepted.job_id),
            Submitted::Estimated(estimate) => panic!("nothing was to be estimated: {estimate:?}"),
        }
    }

    /// Looks after batches until nothing that is due asks for it; how many messages there were.
    pub async fn look_after(&self) -> usize {
        let queues = &self.app.ports.queues;
        let mut handled = 0;
        loop {
            let hidden = Duration::from_secs(60);
            let messages = queues.receive(BATCH_QUEUE, 10, hidden, Duration::ZERO).await.unwrap();
            if messages.is_empty() {
                return handled;
            }
            for Message { receipt, body, .. } in messages {
                let wake: Wake = serde_json::from_value(body).unwrap();
                batch::advance(&self.app, wake).await.unwrap();
                queues.delete(BATCH_QUEUE, &receipt).await.unwrap();
                handled += 1;
            }
        }
    }

    /// A batch as its owner is shown it.
    pub async fn shown(&self, id: &str) -> rest::Batch {
        batch::show(&self.app, &self.customer, id, None, 1).await.unwrap().batch
    }

    /// All results that are there, by pages of a few.
    pub async fn results(&self, id: &str) -> Vec<rest::Item> {
        let (mut results, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let at = cursor.as_deref();
            let page = batch::page(&self.app, &self.customer, id, at, 7, 1 << 20).await.unwrap();
            let is_end = page.results.is_empty();
            results.extend(page.results);
            cursor = page.next_cursor;
            if is_end || cursor.is_none() {
                return results;
            }
        }
    }

    /// What a piece of a batch is run on.
    pub async fn stacked(&self, task: &TaskRun) -> Vec<Named> {
        let job = jobs::load(&self.app, &task.task_id).await.unwrap().unwrap();
        let Input::Blob(file) = job.input else { panic!("its inputs are no file") };
        let bytes = self.app.ports.blobs.get(&file.key, None).await.unwrap().unwrap();
        from_safetensors(&bytes).unwrap()
    }

    /// The answer to a piece of a batch; `fails` says which of its inputs, by their first number.
    pub async fn answer(&self, task: &TaskRun, fails: impl Fn(f64) -> bool) -> TaskDone {
        let stacked = self.stacked(task).await;
        assert_eq!(height(&stacked), task.stacked.map(|count| count as usize));
        let answers = (0..height(&stacked).unwrap()).map(|index| {
            let first = unstack(&stacked, index).unwrap()[0].tensor.to_f64()[0];
            if fails(first) {
                return Err(("MODEL_FAILED".to_owned(), format!("{first} is too much")));
            }
            let tensor = Tensor::from_f32(vec![1, 1], &[first as f32]);
            Ok(vec![Named { name: "output".to_owned(), tensor }])
        });
        let answers = Answers::of(answers.collect());
        // a millisecond each
        let timings_ms =
            DeviceTimings { compute: answers.count() as f64, ..DeviceTimings::default() };
        TaskDone { timings_ms, ..done(task, Payload::Inline(answers.into_tensors())) }
    }
}

impl Device<'_> {
    /// Answers everything that it was given, until it is given no more; how many pieces.
    pub async fn works(&mut self) -> usize {
        let mut pieces = 0;
        loop {
            let tasks = self.tasks();
            if tasks.is_empty() && self.platform.look_after().await == 0 {
                return pieces;
            }
            for task in tasks {
                self.answers(&task).await;
                pieces += 1;
            }
        }
    }

    /// Answers a piece of a batch.
    pub async fn answers(&mut self, task: &TaskRun) {
        let message = self.platform.answer(task, |_| false).await;
        self.says_done(message).await;
    }

    /// Brings a result, whatever becomes of it.
    pub async fn says_done(&mut self, message: TaskDone) {
        let known = self.known().await.unwrap();
        tasks::done(&self.platform.app, &known, message).await.unwrap();
    }
}
