//! `dcmp jobs`: what became of work that goes on without its caller, batches and single inferences.

mod cancel;
mod list;
pub(super) mod results;
mod show;
pub(super) mod single;
pub(super) mod watch;
mod words;

use anyhow::Result;
use clap::Subcommand;
use protocol::rest::batch::Batch;

use crate::{
    client::Connection,
    exit::Exit,
    output::{self, count},
};

/// Lists, shows, watches and cancels batches and single inferences, and gets their results
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp jobs list
  dcmp jobs show infer_019aa5d3f0007cc3b5b0d5a3c2e1f004 --json | jq .result
  dcmp jobs watch batch_019aa5d3f0007cc3b5b0d5a3c2e1f004
  dcmp jobs results batch_019aa5d3f0007cc3b5b0d5a3c2e1f004 --output answers.csv
  dcmp jobs cancel batch_019aa5d3f0007cc3b5b0d5a3c2e1f004

`show`, `watch` and `results` end with code 4 when the job or an input of a batch failed, and with 5 when
it is still queued or running.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    List(list::Args),
    /// Shows a job: its result, or how far a batch is
    Show(Which),
    Watch(watch::Args),
    Results(results::Args),
    /// Cancels a job; devices that run it are told to stop
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
        Command::List(args) => list::run(args).await,
        Command::Show(which) => {
            show::show(&which.connection.client()?, &which.job, which.json).await
        }
        Command::Watch(args) => watch::run(args).await,
        Command::Results(args) => results::run(args).await,
        Command::Cancel(which) => cancel::run(which).await,
    }
}

/// Whether an id is that of a batch; all others are those of single inferences.
fn is_batch(id: &str) -> bool {
    id.starts_with("batch_")
}

/// How a command ends that is about a job in this state.
fn exit(status: &str) -> Exit {
    match status {
        "completed" => Exit::Done,
        "failed" | "cancelled" | "timed_out" => Exit::JobFailed,
        _ => Exit::Running,
    }
}

/// How a command ends that is about a batch; says what is not as it should be.
pub(super) fn judge(batch: &Batch) -> Exit {
    let Batch { job_id, status, progress, .. } = batch;
    if let Some(failure) = &batch.error {
        output::say(format_args!(
            "dcmp: the batch {status}: {} ({})",
            failure.message, failure.code
        ));
    }
    let exit = exit(status);
    if exit == Exit::Running || progress.failed == 0 {
        return exit;
    }
    let (failed, all) = (progress.failed, count(progress.total, "input"));
    output::say(format_args!(
        "dcmp: {failed} of {all} failed; `dcmp jobs results {job_id}` says of each why"
    ));
    Exit::JobFailed
}

/// How to go on with a job that goes on without us.
pub(super) fn goes_on(id: &str) -> String {
    format!("{id} goes on; `dcmp jobs watch {id}` watches it, `dcmp jobs cancel {id}` ends it")
}

#[cfg(test)]
mod tests {
    use protocol::rest::{batch::Progress, inference::Failure};

    use super::*;

    #[test]
    fn a_jobs_state_is_the_exit_code() {
        assert_eq!(exit("completed"), Exit::Done);
        assert_eq!(exit("timed_out"), Exit::JobFailed);
        assert_eq!(exit("queued"), Exit::Running);
    }

    #[test]
    fn an_input_that_failed_counts_when_the_batch_is_over() {
        let batch = |status: &str, failed: u64, error: Option<Failure>| Batch {
            job_id: "batch_1".to_owned(),
            name: None,
            project_id: String::new(),
            status: status.to_owned(),
            model_id: String::new(),
            model_version: 1,
            progress: Progress { completed: 1, failed, total: 3, percent_complete: 0.0 },
            error,
            created_at: String::new(),
            completed_at: None,
        };
        assert_eq!(judge(&batch("completed", 0, None)), Exit::Done);
        assert_eq!(judge(&batch("completed", 1, None)), Exit::JobFailed);
        assert_eq!(judge(&batch("running", 1, None)), Exit::Running);
        let late = Failure { code: "DEADLINE_EXCEEDED".to_owned(), message: String::new() };
        assert_eq!(judge(&batch("timed_out", 0, Some(late))), Exit::JobFailed);
    }
}
