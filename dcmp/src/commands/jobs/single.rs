//! A single inference for people: what became of it, and its result.

use std::collections::BTreeMap;

use anyhow::Result;
use protocol::{rest::inference::Job, tensor::Dtype};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::words;
use crate::{client::Answer, exit::Exit, output};

/// Numbers of a tensor that are shown to people.
const SHOWN: usize = 10;

/// Prints a job and says how the command ends.
pub(in crate::commands) fn report(answer: &Answer, json: bool) -> Result<Exit> {
    let job: Job = answer.read()?;
    if json {
        output::print(&answer.text)?;
    } else {
        output::print(&text(&job))?;
    }
    if let Some(failure) = &job.error {
        output::say(format_args!("dcmp: the job failed: {} ({})", failure.message, failure.code));
    }
    Ok(super::exit(&job.status))
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
}
