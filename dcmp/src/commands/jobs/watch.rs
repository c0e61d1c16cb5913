//! `dcmp jobs watch`, and waiting for a batch: looks again and again, also after the connection was
//! lost, until the job is over, somebody has enough of it, or it took too long.

mod meter;

use std::{cell::OnceCell, time::Duration};

use anyhow::Result;
use protocol::rest::batch::{Batch, Estimate, Options, Request};
use serde_json::value::to_raw_value;
use tokio::time::Instant;

use self::meter::Meter;
use super::{exit, goes_on, is_batch, show};
use crate::{
    client::{Answer, Client, Connection},
    exit::{self as exits, Exit, error},
    output,
    signals::Signals,
};

/// Before the second look; then twice as long each time.
const FIRST: Duration = Duration::from_millis(50);

/// The longest time between two looks.
const LONGEST: Duration = Duration::from_secs(1);

/// How long a platform may be away.
const PATIENCE: Duration = Duration::from_secs(600);

/// When nothing happened for so long, devices are looked for.
const QUIET: Duration = Duration::from_secs(2);

/// Watches a job until it is over, then shows it
#[derive(clap::Args)]
#[command(
    after_help = "Ctrl-C ends the watching, not the job; watch it again whenever you like. When the connection is lost,
it is tried again for ten minutes."
)]
pub(super) struct Args {
    /// The job's id
    job: String,
    /// How long to watch, in milliseconds [default: to its end]
    #[arg(long, value_name = "MS")]
    timeout: Option<u64>,
    /// The API's JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: Args) -> Result<Exit> {
    let client = args.connection.client()?;
    let job = OnceCell::from(args.job.clone());
    let work = async {
        until_over(&client, &args.job, args.timeout, None).await?;
        show::show(&client, &args.job, args.json).await
    };
    or_interrupted(&job, work).await
}

/// Does `work`, which begins `job` at some time; after Ctrl-C the job goes on and the work does not.
pub(in crate::commands) async fn or_interrupted<T>(
    job: &OnceCell<String>,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut signals = Signals::new()?;
    tokio::select! {
        // what can go on later says so itself
        biased;
        done = work => done,
        () = signals.next() => {
            let hint = job.get().map(|id| format!("; {}", goes_on(id))).unwrap_or_default();
            Err(error(Exit::Interrupted, format!("interrupted{hint}")))
        }
    }
}

/// Waits until a job is over, at most `timeout_ms`. `like` is a request as that of the batch, to see
/// whether any device could work on it.
pub(in crate::commands) async fn until_over(
    client: &Client,
    id: &str,
    timeout_ms: Option<u64>,
    like: Option<Request>,
) -> Result<()> {
    let watch = Watch { client, id, like };
    let Some(ms) = timeout_ms else { return watch.until_over().await };
    match tokio::time::timeout(Duration::from_millis(ms), watch.until_over()).await {
        Ok(over) => over,
        Err(_) => {
            let message = format!("not over after {ms} ms; {}", goes_on(id));
            Err(error(Exit::Running, message))
        }
    }
}

/// How many of the connected devices could work on a batch like this one.
pub(in crate::commands) async fn devices(client: &Client, like: &Request) -> Result<u64> {
    let answer = client.post(&["inference", "batch"], like, None).await?;
    Ok(answer.read::<Estimate>()?.devices)
}

/// A question whether devices could work on a batch of a model; nothing is run.
pub(in crate::commands) fn question(model: String) -> Result<Request> {
    Ok(Request {
        model_id: model,
        inputs: Some(to_raw_value(&[()])?),
        inputs_dataset_id: None,
        name: None,
        project_id: None,
        raw: None,
        options: Options::default(),
        placement: None,
        dry_run: true,
    })
}

/// What nobody works on waits.
pub(in crate::commands) const NOBODY: &str =
    "no device is connected that could work on it, so it waits; `dcmp device` lends a computer";

struct Watch<'a> {
    client: &'a Client,
    id: &'a str,
    like: Option<Request>,
}

impl Watch<'_> {
    async fn until_over(&self) -> Result<()> {
        let mut meter = None;
        let (mut pause, mut changed, mut told) = (FIRST, Instant::now(), false);
        loop {
            let answer = self.look(meter.is_some()).await?;
            if !is_batch(self.id) {
                let job: protocol::rest::inference::Job = answer.read()?;
                if exit(&job.status) != Exit::Running {
                    return Ok(());
                }
                meter.get_or_insert_with(Meter::single);
            } else {
                let batch: Batch = answer.read()?;
                let meter = meter.get_or_insert_with(|| Meter::batch(&batch));
                if meter.show(&batch) {
                    (changed, told) = (Instant::now(), false);
                }
                if exit(&batch.status) != Exit::Running {
                    return Ok(());
                }
                if changed.elapsed() > QUIET && !told {
                    told = true;
                    self.look_for_devices(&batch, meter).await?;
                }
            }
            tokio::time::sleep(pause).await;
            pause = LONGEST.min(pause * 2);
        }
    }

    /// How the job stands. Once there was an answer, others are waited for.
    async fn look(&self, answered: bool) -> Result<Answer> {
        let mut lost: Option<Instant> = None;
        loop {
            // a batch's results are not wanted here
            let look = self.client.ask(&["inference", self.id], &[("limit", "1")]).await;
            let cause = match look {
                Err(cause) if answered && exits::of(&cause) == Exit::Failed => cause,
                look => {
                    if lost.is_some() {
                        output::say("dcmp: the platform is there again");
                    }
                    return look;
                }
            };
            if lost.is_some_and(|since| since.elapsed() > PATIENCE) {
                return Err(cause);
            }
            if lost.is_none() {
                output::say(format_args!("dcmp: {cause}; {} is looked for again", self.id));
                lost = Some(Instant::now());
            }
            tokio::time::sleep(LONGEST).await;
        }
    }

    async fn look_for_devices(&self, batch: &Batch, meter: &Meter) -> Result<()> {
        let model = || format!("{}@{}", batch.model_id, batch.model_version);
        let found = match &self.like {
            Some(like) => devices(self.client, like).await,
            None => devices(self.client, &question(model())?).await,
        };
        // only a hint: whoever cannot be asked is not
        if found.is_ok_and(|devices| devices == 0) {
            meter.say(NOBODY);
        }
        Ok(())
    }
}
