//! Computing: tasks of one model, stacked into as few runs as they allow.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use inference::Error;
use protocol::{
    socket::{DeviceTimings, Usage},
    tensor::{Answers, Named},
};

use crate::{
    cpu::thread_time,
    desk::Ids,
    machine::{cores, peak_memory_mb},
    results::{Results, failure, too_late},
    tasks::Task,
};

/// Work below this is done where it arrives: handing it to another thread would take longer.
const AT_ONCE_NS: u64 = 60_000;

/// Starts the threads that compute: one per slot, but no more than there are cores, as they never wait;
/// and as many beside them for pieces of batches.
pub(crate) fn start(results: &Results, slots: u32) -> std::io::Result<()> {
    for number in 0..cores().min(slots as usize) {
        let (results, batches) = (results.clone(), results.clone());
        std::thread::Builder::new().name(format!("dcmp-work-{number}")).spawn(move || {
            while let Some(tasks) = results.desk.take() {
                run(&results, tasks);
            }
        })?;
        let results = batches.clone();
        std::thread::Builder::new().name(format!("dcmp-batch-{number}")).spawn(move || {
            step_back();
            while let Some(task) = results.desk.take_batch() {
                run(&results, vec![task]);
            }
        })?;
    }
    Ok(())
}

/// Lets every other thread go first: a batch takes what they leave of the processor.
#[cfg(target_os = "linux")]
fn step_back() {
    // on Linux a process without a number is the calling thread, see setpriority(2)
    if let Err(cause) = rustix::process::setpriority_process(None, 19) {
        tracing::debug!(%cause, "batches run beside other work, not behind it");
    }
}

#[cfg(not(target_os = "linux"))]
fn step_back() {}

/// Whether these tasks are so little work that a thread is not worth waking.
pub(crate) fn is_little(tasks: &[Task]) -> bool {
    let [first, rest @ ..] = tasks else { return false };
    let cost = first.model.cost_ns();
    cost > 0
        && rest.iter().all(|task| Arc::ptr_eq(&task.model, &first.model))
        && tasks.iter().map(|task| rows(task).saturating_mul(cost)).sum::<u64>() < AT_ONCE_NS
}

/// Runs tasks of one model; each ends by itself, whatever happens to the others.
pub(crate) fn run(results: &Results, tasks: Vec<Task>) {
    let ids: Vec<Arc<Ids>> = tasks.iter().map(|task| task.ids.clone()).collect();
    // The engine's panics are caught closer; this keeps the thread for those of anything else.
    if catch_unwind(AssertUnwindSafe(|| compute(results, tasks))).is_err() {
        for ids in ids {
            results.fail(&ids, failure("DEVICE_ERROR", "the device failed while computing", true));
        }
    }
}

fn compute(results: &Results, mut tasks: Vec<Task>) {
    let started = Instant::now();
    for late in tasks.extract_if(.., |task| task.deadline <= started) {
        results.fail(&late.ids, too_late());
    }
    let Some(model) = tasks.first().map(|task| task.model.clone()) else { return };
    let cpu_before = thread_time();
    let answers = match tasks.as_slice() {
        [piece] if piece.stacked => {
            let answers = model.network.run_requests(&piece.inputs).map_err(Error::Input);
            vec![answers.map(Answers::into_tensors)]
        }
        many => {
            let requests: Vec<_> = many.iter().map(|task| task.inputs.as_slice()).collect();
            model.network.run_stacked(&requests)
        }
    };
    // What was computed together is shared out evenly.
    let count = tasks.len() as u32;
    let compute = started.elapsed() / count;
    let cpu_ms = millis((thread_time() - cpu_before) / count);
    let all_rows: u64 = tasks.iter().map(rows).sum();
    model.took((compute * count).as_nanos() as u64 / all_rows.max(1));
    for (task, answer) in tasks.into_iter().zip(answers) {
        match answer {
            Ok(outputs) => {
                let timings = DeviceTimings {
                    fetch: task.fetch_ms,
                    load: task.load_ms,
                    queue: millis(started.saturating_duration_since(task.ready)),
                    compute: millis(compute),
                };
                let usage = Usage {
                    cpu_ms,
                    gpu_ms: 0.0,
                    peak_memory_mb: peak_memory_mb(),
                    bytes_in: bytes(&task.inputs),
                    bytes_out: bytes(&outputs),
                };
                results.done(task, outputs, timings, usage);
            }
            Err(Error::Input(message)) => {
                results.fail(&task.ids, failure("INPUTS_INVALID", message, false));
            }
            Err(error @ Error::Engine(_)) => {
                results.fail(&task.ids, failure("MODEL_FAILED", error.to_string(), false));
            }
        }
    }
}

/// How many times its model's cost a task is.
fn rows(task: &Task) -> u64 {
    let batched = task.model.network.signature().is_batched();
    let shape = task.inputs.first().map_or(&[][..], |input| input.tensor.shape.as_slice());
    match (task.stacked, batched, shape) {
        (false, true, [rows, ..]) | (true, false, [rows, ..]) => *rows as u64,
        (true, true, [requests, rows, ..]) => *requests as u64 * *rows as u64,
        _ => 1,
    }
}

fn bytes(tensors: &[Named]) -> u64 {
    tensors.iter().map(|named| named.tensor.data.len() as u64).sum()
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
