//! What a device computes of a task, and how it says so.

use ports::Method;
use protocol::{
    socket::{
        Blob, DeviceTimings, Payload, TaskDone, TaskError, TaskFailed, TaskRun, Usage, encode,
    },
    tensor::{self, Answers, Named, Tensor, unstack},
};

use super::Device;
use crate::model::{Model, Poison};

/// Outputs longer than this go by reference.
const MAX_INLINE: usize = 5_000;

impl Device {
    /// The frame of a result.
    pub(super) fn compute(&self, run: &TaskRun) -> Result<String, Died> {
        let TaskRun { task_id, attempt, fence, .. } = run;
        let failed = |code: &str, retryable| {
            let error = TaskError {
                code: code.to_owned(),
                message: "as it was asked to".to_owned(),
                retryable,
            };
            let (task_id, fence) = (task_id.clone(), fence.clone());
            Ok(encode(&TaskFailed { task_id, attempt: *attempt, fence, error }))
        };
        let Some(inputs) = self.inputs(run) else { return failed("INPUT_UNREADABLE", true) };
        let Some(model) = self.models.iter().find(|model| model.id == run.model.id) else {
            return failed("MODEL_UNREADABLE", true);
        };
        let requests = match run.stacked {
            Some(count) => {
                (0..count as usize).filter_map(|index| unstack(&inputs, index)).collect()
            }
            None => vec![inputs],
        };
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            let Some(named) = request.first() else { return failed("INPUT_UNREADABLE", true) };
            let values = floats(&named.tensor);
            match (Poison::of(&values), run.stacked) {
                (Poison::None, _) => answers.push(Ok(outputs_of(model, named))),
                (Poison::Kills, _) => return Err(Died),
                (Poison::Refused, None) => return failed("REFUSED_INPUT", false),
                (Poison::Fails, None) => return failed("FAILED_INPUT", true),
                (poison, Some(_)) => {
                    let code = poison.reason().unwrap_or_default().to_owned();
                    answers.push(Err((code, "as it was asked to".to_owned())));
                }
            }
        }
        let [_, each] = self.traits.pace.piece_ms;
        let compute = f64::from(run.stacked.unwrap_or(1)) * each as f64;
        let outputs = match (run.stacked, answers.pop()) {
            (None, Some(Ok(only))) => only,
            (_, last) => {
                answers.extend(last);
                Answers::of(answers).into_tensors()
            }
        };
        // by a clock that is off, which is nobody's business but the device's
        let queue = self.traits.clock_off_ms as f64;
        Ok(encode(&TaskDone {
            task_id: task_id.clone(),
            attempt: *attempt,
            fence: fence.clone(),
            outputs: self.payload(run, outputs),
            timings_ms: DeviceTimings { queue, compute, ..DeviceTimings::default() },
            usage: Usage::default(),
        }))
    }

    fn inputs(&self, run: &TaskRun) -> Option<Vec<Named>> {
        match &run.inputs {
            Payload::Inline(inputs) => Some(inputs.clone()),
            Payload::Blob(blob) => {
                let url = blob.url.as_deref()?;
                let (status, file) =
                    self.platform.store.transfer(url, Method::Get, Default::default());
                (status == 200).then(|| tensor::from_safetensors(&file).ok()).flatten()
            }
        }
    }

    /// The outputs in the message if they are small, else where the platform said.
    fn payload(&self, run: &TaskRun, outputs: Vec<Named>) -> Payload {
        let bytes: usize = outputs.iter().map(|named| named.tensor.data.len()).sum();
        match &run.outputs_url {
            Some(url) if bytes > MAX_INLINE => {
                let file = tensor::to_safetensors(&outputs);
                let blob = Blob {
                    url: None,
                    checksum: ports::Checksum::of(&file).to_string(),
                    bytes: file.len() as u64,
                };
                self.platform.store.transfer(url, Method::Put(None), file);
                Payload::Blob(blob)
            }
            _ => Payload::Inline(outputs),
        }
    }
}

/// The device died of an input.
pub(super) struct Died;

fn outputs_of(model: &Model, input: &Named) -> Vec<Named> {
    let values = model.run(&floats(&input.tensor));
    let tensor = Tensor::from_f32(input.tensor.shape.clone(), &values);
    vec![Named { name: "output".to_owned(), tensor }]
}

fn floats(tensor: &Tensor) -> Vec<f32> {
    tensor.to_f64().into_iter().map(|value| value as f32).collect()
}
