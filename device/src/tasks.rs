//! From a `taskRun` to a task that can run: admission, then its model and inputs.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use protocol::{
    socket::{Blob, DeclineReason, ModelRef, Payload, TaskError, TaskRun},
    tensor::{Named, from_safetensors},
};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use crate::{
    desk::{Admission, Ids, Lane},
    models::{Got, Model, Models},
    report::Event,
    results::{Results, declined, failure, too_late},
};

/// The largest inputs that are fetched, in bytes.
const MAX_INPUTS: u64 = 1 << 30;

/// Deadlines further away than a day are as good as none.
const FAR: u64 = 24 * 3600 * 1000;

/// Work that could run now.
pub(crate) struct Task {
    pub ids: Arc<Ids>,
    pub model: Arc<Model>,
    pub inputs: Vec<Named>,
    pub outputs_url: Option<String>,
    /// The inputs are those of many requests, stacked: a piece of a batch.
    pub stacked: bool,
    pub received: Instant,
    pub deadline: Instant,
    pub ready: Instant,
    pub fetch_ms: f64,
    pub load_ms: f64,
}

/// An admitted attempt that may lack its model or its inputs.
struct Draft {
    ids: Arc<Ids>,
    outputs_url: Option<String>,
    stacked: bool,
    received: Instant,
    deadline: Instant,
}

impl Draft {
    fn complete(self, model: Arc<Model>, inputs: Vec<Named>, fetch_ms: f64, load_ms: f64) -> Task {
        let Self { ids, outputs_url, stacked, received, deadline } = self;
        Task {
            ids,
            model,
            inputs,
            outputs_url,
            stacked,
            received,
            deadline,
            ready: Instant::now(),
            fetch_ms,
            load_ms,
        }
    }
}

/// Takes tasks in.
#[derive(Clone)]
pub(crate) struct Intake {
    pub models: Arc<Models>,
    pub results: Results,
    pub max_model_bytes: u64,
}

impl Intake {
    /// Answers a `taskRun`: declines it, adds it to `ready`, or fetches what it lacks first. Pieces of
    /// batches are never `ready`: they wait in a queue of their own.
    pub(crate) fn take(&self, run: TaskRun, ready: &mut Vec<Task>) {
        let stacked = run.stacked.is_some();
        let TaskRun { task_id, attempt, fence, deadline_ms, model, inputs, outputs_url, .. } = run;
        let ids = Ids { task_id, attempt, fence };
        if model.format != "onnx" || model.bytes > self.max_model_bytes {
            return self.decline(&ids, DeclineReason::Unsupported);
        }
        let ids = match self.results.desk.admit(&ids, Lane::of(stacked)) {
            Admission::Taken(ids) => ids,
            Admission::Known => return,
            Admission::Busy => return self.decline(&ids, DeclineReason::Busy),
            Admission::Leaving => return self.decline(&ids, DeclineReason::Policy),
        };
        let received = Instant::now();
        let deadline = received + Duration::from_millis(deadline_ms.min(FAR));
        let draft = Draft { ids, outputs_url, stacked, received, deadline };
        match (self.models.loaded(&model.checksum), inputs) {
            (Some(model), Payload::Inline(inputs)) if !stacked => {
                ready.push(draft.complete(model, inputs, 0.0, 0.0));
            }
            (_, inputs) => {
                let wanted = self.results.desk.fetch(&draft.ids);
                let preparing = self.clone().prepare(draft, model, inputs);
                let task = async move { wanted.run_until_cancelled(preparing).await };
                self.results.background.spawn(task);
            }
        }
    }

    /// Fails an attempt whose `taskRun` cannot be read, when at least its ids can.
    pub(crate) fn unreadable(&self, ids: &Ids, cause: &str) {
        if let Admission::Taken(ids) = self.results.desk.admit(ids, Lane::Slots) {
            let message = format!("the taskRun cannot be read: {cause}");
            self.results.fail(&ids, failure("MESSAGE_INVALID", message, false));
        }
    }

    fn decline(&self, ids: &Ids, reason: DeclineReason) {
        self.results.desk.decline(Utf8Bytes::from(declined(ids, reason)));
        self.results.report.tell(Event::TaskDeclined { task_id: ids.task_id.clone(), reason });
    }

    /// Gets the model and the inputs; the task then waits for a worker.
    async fn prepare(self, draft: Draft, model: ModelRef, inputs: Payload) {
        let both = async {
            let started = Instant::now();
            let inputs = self.inputs(inputs).await?;
            let inputs_ms = started.elapsed().as_secs_f64() * 1000.0;
            let got = self.models.get(&model, &draft.ids.task_id).await?;
            Ok::<_, TaskError>((got, inputs, inputs_ms))
        };
        match tokio::time::timeout_at(draft.deadline.into(), both).await {
            Ok(Ok((Got { model, fetch_ms, load_ms }, inputs, inputs_ms))) => {
                let task = draft.complete(model, inputs, fetch_ms + inputs_ms, load_ms);
                self.results.desk.enqueue([task]);
            }
            Ok(Err(error)) => self.results.fail(&draft.ids, error),
            Err(_) => self.results.fail(&draft.ids, too_late()),
        }
    }

    async fn inputs(&self, inputs: Payload) -> Result<Vec<Named>, TaskError> {
        let Blob { url, checksum, bytes } = match inputs {
            Payload::Inline(inputs) => return Ok(inputs),
            Payload::Blob(blob) => blob,
        };
        let unavailable = |cause: String| {
            failure("INPUTS_UNAVAILABLE", format!("the inputs could not be fetched: {cause}"), true)
        };
        let url = url.ok_or_else(|| unavailable("their `url` is missing".to_owned()))?;
        if bytes > MAX_INPUTS {
            return Err(unavailable(format!("{bytes} bytes are more than {MAX_INPUTS}")));
        }
        let file = self.results.http.bytes(&url, bytes, &checksum).await;
        let file = file.map_err(|cause| unavailable(cause.0))?;
        from_safetensors(&file).map_err(|error| failure("INPUTS_INVALID", error.to_string(), false))
    }
}
