//! `dcmp job`: what became of a job that goes on without its caller.

mod words;

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Subcommand;
use protocol::{
    rest::inference::{Cancelled, Job},
    tensor::Dtype,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    client::{Answer, Connection},
    exit::Exit,
    output,
};

/// Numbers of a tensor that are shown to people.
const SHOWN: usize = 10;

/// Shows jobs and their results, and cancels them
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp job show infer_019aa5d3f0007cc3b5b0d5a3c2e1f004
  dcmp job show infer_019aa5d3f0007cc3b5b0d5a3c2e1f004 --json | jq .result
  dcmp job cancel infer_019aa5d3f0007cc3b5b0d5a3c2e1f004

`show` ends with code 4 when the job failed, with 5 when it is still queued or running.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows a job, and its result when it has one
    Show(Which),
    /// Cancels a job; a device that runs it is told to stop
    Cancel(Which),
}

#[derive(clap::Args)]
struct Which {
    /// The job's id
    job: String,
    /// The API's JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    match args.command {
        Command::Show(which) => {
            let answer = which.connection.client()?.get(&["inference", &which.job]).await?;
            report(&answer, which.json)
        }
        Command::Cancel(which) => {
            let answer = which.connection.client()?.delete(&["inference", &which.job]).await?;
            if which.json {
                output::print(&answer.text)?;
            } else {
                let cancelled: Cancelled = answer.read()?;
                output::say(format_args!("{} is {}", cancelled.job_id, cancelled.status));
            }
            Ok(Exit::Done)
        }
    }
}

/// Prints a job and says how the command ends.
pub(super) fn report(answer: &Answer, json: bool) -> Result<Exit> {
    let job: Job = answer.read()?;
    if json {
        output::print(&answer.text)?;
    } else {
        output::print(&text(&job))?;
    }
    if let Some(failure) = &job.error {
        output::say(format_args!("dcmp: the job failed: {} ({})", failure.message, failure.code));
    }
    Ok(exit(&job.status))
}

fn exit(status: &str) -> Exit {
    match status {
        "completed" => Exit::Done,
        "failed" | "cancelled" | "timed_out" => Exit::JobFailed,
        _ => Exit::Running,
    }
}

/// A job for people.
fn text(job: &Job) -> String {
    let mut rows = vec![
        ("job", job.job_id.clone()),
        ("status", job.status.clone()),
        ("model", format!("{}@{}", job.model_id, job.model_version)),
    ];
    let table = job.result.as_deref().and_then(words::table);
    if let Some(result) = job.result.as_ref().filter(|_| table.is_none()) {
        rows.extend(tensors(result).into_iter().map(|line| ("result", line)));
    }
    rows.extend(job.warnings.iter().map(|warning| ("warning", warning.clone())));
    rows.extend(job.device_id.iter().map(|device| ("device", device.clone())));
    if job.attempts > 1 {
        rows.push(("attempts", job.attempts.to_string()));
    }
    if let Some(ms) = &job.timings_ms {
        let [total, queue, transfer, compute] =
            [ms.total, ms.queue, ms.transfer, ms.compute].map(output::ms);
        let time = format!("{total} ms: queue {queue}, transfer {transfer}, compute {compute}");
        rows.push(("time", time));
    }
    let fields = output::fields(&rows);
    match table {
        Some(table) => format!("{fields}\n\n{table}"),
        None => fields,
    }
}

#[derive(Deserialize)]
struct Tensor {
    data: Vec<Box<RawValue>>,
    shape: Vec<usize>,
    #[serde(default = "float32")]
    dtype: Dtype,
}

fn float32() -> Dtype {
    Dtype::Float32
}

#[derive(Deserialize)]
struct Outputs {
    outputs: BTreeMap<String, Tensor>,
}

/// A line for each output, its first numbers only.
fn tensors(result: &RawValue) -> Vec<String> {
    let line = |tensor: &Tensor| {
        let numbers: Vec<_> = tensor.data.iter().take(SHOWN).map(|number| number.get()).collect();
        let all = tensor.data.len();
        let more = if all > SHOWN {
            format!(" … {all} numbers, all with --json")
        } else {
            String::new()
        };
        format!("{} {:?}: {}{more}", tensor.dtype, tensor.shape, numbers.join(" "))
    };
    if let Ok(tensor) = serde_json::from_str(result.get()) {
        return vec![line(&tensor)];
    }
    match serde_json::from_str::<Outputs>(result.get()) {
        Ok(Outputs { outputs }) => {
            outputs.iter().map(|(name, tensor)| format!("{name} {}", line(tensor))).collect()
        }
        // what this version of the command does not know
        Err(_) => vec![result.get().to_owned()],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn lines(json: &str) -> Vec<String> {
        tensors(&RawValue::from_string(json.to_owned()).unwrap())
    }

    #[test]
    fn results_are_a_line_each() {
        assert_eq!(lines(r#"{"data":[0.10,null],"shape":[1,2]}"#), ["float32 [1, 2]: 0.10 null"]);
        let two = r#"{"outputs":{"sum":{"data":[3],"shape":[1],"dtype":"int64"},
                      "mean":{"data":[1.5],"shape":[1]}}}"#;
        assert_eq!(lines(two), ["mean float32 [1]: 1.5", "sum int64 [1]: 3"]);
        let long = serde_json::json!({"data": vec![1; 11], "shape": [11]}).to_string();
        assert!(lines(&long)[0].ends_with("1 1 … 11 numbers, all with --json"), "{long}");
        assert_eq!(lines(r#"{"value":1}"#), [r#"{"value":1}"#]);
    }

    #[test]
    fn a_jobs_state_is_the_exit_code() {
        assert_eq!(exit("completed"), Exit::Done);
        assert_eq!(exit("timed_out"), Exit::JobFailed);
        assert_eq!(exit("queued"), Exit::Running);
    }
}
