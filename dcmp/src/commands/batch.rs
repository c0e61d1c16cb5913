//! `dcmp batch`: a model on many inputs, from files.

mod gather;
mod read;
mod table;

use std::{
    cell::OnceCell,
    path::{Path, PathBuf},
};

use anyhow::Result;
use protocol::rest::{
    batch::{Accepted, Estimate, Options, Request},
    datasets::Summary,
    models::Model,
};
use serde_json::value::RawValue;

use self::gather::{Gathered, Spilled};
use super::{
    dataset::upload::Upload,
    jobs::{
        results::{self, Target},
        watch,
    },
};
use crate::{
    client::{Answer, Client, Connection},
    exit::{Exit, usage},
    output, parts,
};

/// Runs a model on many inputs, from files
#[derive(clap::Args)]
#[command(after_help = "Inputs are in files, which are read by their names' ends:
  .json                     a list of inputs
  .ndjson .jsonl            an input on each line
  .csv                      a row each; the first line names the columns, and a column `label` is left out
  .npy .npz .safetensors    a row of the arrays each
  .jpg .png .webp           an image each; of a folder or a .zip all of them, by their names
  -                         JSON on standard input, a list or one value after the other

An input is what `dcmp infer` takes: a tensor, a plain list, or what the model's adapter takes. Up to
10 000 and 4 MB go with the request, others are uploaded as a dataset first, which is kept for two days.

Examples:
  dcmp batch digits images.npy --wait --output answers.npz
  dcmp batch iris measured.csv --wait --output answers.csv
  dcmp batch flowers pictures/ --wait | jq -r .result.predictions[0].label
  dcmp batch digits --dataset train              then `dcmp jobs watch ID`

Ctrl-C ends the waiting, not the batch. Exit code 4 when the batch or an input of it failed, 5 when it
goes on after --timeout; without --wait going on is success.")]
pub(crate) struct Args {
    /// The model's id, or its name if no other has it; a version behind @
    model: String,
    /// Files with inputs, folders of images, `-` for standard input
    #[arg(value_name = "FILE", required_unless_present = "dataset", conflicts_with = "dataset")]
    files: Vec<PathBuf>,
    /// The rows of this dataset instead, by its id or its name
    #[arg(long)]
    dataset: Option<String>,
    /// What to call the batch
    #[arg(long)]
    name: Option<String>,
    /// The project that it belongs to [default: one of its own]
    #[arg(long)]
    project: Option<String>,
    /// Tensors in and out, whatever adapters the model has
    #[arg(long)]
    raw: bool,
    /// How long the batch may take, in milliseconds [default: a day]
    #[arg(long, value_name = "MS")]
    deadline: Option<u64>,
    /// Take devices with a graphics processor if there are any
    #[arg(long)]
    prefer_gpu: bool,
    /// Where it may run: `own`, `shared` or `platform` [default: as the model says]
    #[arg(long)]
    placement: Option<String>,
    /// A repetition with the same key runs nothing twice
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Only say what it would take
    #[arg(long, conflicts_with_all = ["wait", "output"])]
    dry_run: bool,
    /// Wait until it is over, then give the results; --output does so, too
    #[arg(long)]
    wait: bool,
    /// How long to wait, in milliseconds [default: to its end]
    #[arg(long, value_name = "MS")]
    timeout: Option<u64>,
    /// The API's JSON
    #[arg(long, conflicts_with_all = ["wait", "output"])]
    json: bool,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    connection: Connection,
}

/// How long a dataset is kept that is there for one batch, in days: longer than a batch may take.
const KEPT_DAYS: u64 = 2;

/// Where the inputs are.
enum Source {
    Body(Box<RawValue>),
    Dataset(String),
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    args.target.check()?;
    let client = args.connection.client()?;
    let model = client.model_reference(&args.model).await?;
    let gathered = match &args.dataset {
        Some(_) => None,
        None => {
            let model: Model = client.get(&["models", &model]).await?.read()?;
            Some(read::files(&args.files, &model, args.raw)?)
        }
    };
    // reading was ended by Ctrl-C as everything is; from now on there is something to say about it
    let job = OnceCell::new();
    watch::or_interrupted(&job, through(&args, &client, model, gathered, &job)).await
}

async fn through(
    args: &Args,
    client: &Client,
    model: String,
    gathered: Option<Gathered>,
    job: &OnceCell<String>,
) -> Result<Exit> {
    let source = match (gathered, &args.dataset) {
        (Some(Gathered::Body(list)), _) => Source::Body(list),
        (Some(Gathered::Spilled(_) | Gathered::Alone(_)), _) if args.dry_run => {
            return Err(usage(
                "these inputs would be uploaded as a dataset first, and a dry run does nothing; do so with \
                 `dcmp dataset upload FILE`, then give --dataset NAME",
            ));
        }
        (Some(Gathered::Spilled(spilled)), _) => Source::Dataset(spilled.upload(client).await?),
        (Some(Gathered::Alone(path)), _) => {
            let name = parts::shown(&path);
            Source::Dataset(upload(client, &path, &name, None).await?)
        }
        (None, name) => {
            Source::Dataset(client.dataset_id(name.as_deref().unwrap_or_default()).await?)
        }
    };
    let mut question = watch::question(model.clone())?;
    question.options = options(args);
    question.placement.clone_from(&args.placement);
    let (inputs, inputs_dataset_id) = match source {
        Source::Body(list) => (Some(list), None),
        Source::Dataset(id) => (None, Some(id)),
    };
    let request = Request {
        model_id: model,
        inputs,
        inputs_dataset_id,
        name: args.name.clone(),
        project_id: args.project.clone(),
        raw: args.raw.then_some(true),
        options: options(args),
        placement: args.placement.clone(),
        dry_run: args.dry_run,
    };
    let key = args.idempotency_key.as_deref();
    let answer = client.post(&["inference", "batch"], &request, key).await?;
    if args.dry_run {
        estimated(&answer, args.json)?;
        return Ok(Exit::Done);
    }
    let accepted: Accepted = answer.read()?;
    let id = job.get_or_init(|| accepted.job_id.clone());
    if !args.wait && args.target.output.is_none() {
        report(&answer, &accepted, args.json)?;
        // only a hint: the batch is accepted whatever comes of it
        if watch::devices(client, &question).await.is_ok_and(|devices| devices == 0) {
            output::say(format_args!("dcmp: {}", watch::NOBODY));
        }
        return Ok(Exit::Done);
    }
    let inputs = output::count(accepted.total_tasks, "input");
    output::say(format_args!("{id} has {inputs}; Ctrl-C ends the waiting, not the batch"));
    watch::until_over(client, id, args.timeout, Some(question)).await?;
    results::write(client, id, &args.target).await
}

fn options(args: &Args) -> Options {
    Options { deadline_ms: args.deadline, prefer_gpu: args.prefer_gpu, instance_type: None }
}

impl Spilled {
    /// Uploads the inputs; the answer is the dataset's id.
    async fn upload(self, client: &Client) -> Result<String> {
        let (file, name) = self.into_file()?;
        upload(client, file.path(), &name, Some("ndjson")).await
    }
}

/// Uploads a file for one batch; the answer is the dataset's id.
async fn upload(client: &Client, path: &Path, name: &str, format: Option<&str>) -> Result<String> {
    let upload = Upload {
        path,
        called: name.to_owned(),
        name: name.to_owned(),
        format: format.map(str::to_owned),
        days: Some(KEPT_DAYS),
        in_parts: false,
    };
    Ok(upload.upload(client).await?.read::<Summary>()?.id)
}

fn report(answer: &Answer, accepted: &Accepted, json: bool) -> Result<()> {
    if json {
        return output::print(&answer.text);
    }
    let id = &accepted.job_id;
    output::print(&output::fields(&[
        ("job", id.clone()),
        ("status", accepted.status.clone()),
        ("inputs", accepted.total_tasks.to_string()),
        ("project", accepted.project_id.clone()),
    ]))?;
    output::say(format_args!(
        "Watch it with `dcmp jobs watch {id}`; `dcmp jobs results {id}` has what is there."
    ));
    Ok(())
}

fn estimated(answer: &Answer, json: bool) -> Result<()> {
    if json {
        return output::print(&answer.text);
    }
    let estimate: Estimate = answer.read()?;
    let mut rows = vec![("inputs", estimate.total_tasks.to_string())];
    rows.extend(estimate.input_bytes.map(|bytes| ("size", output::size(bytes))));
    rows.push(("chunks", estimate.chunks.to_string()));
    let computing = estimate.estimated_compute_ms.map(|ms| format!("{} ms", output::ms(ms)));
    rows.push(("computing", output::or_dash(computing.as_deref())));
    rows.push(("devices", estimate.devices.to_string()));
    output::print(&output::fields(&rows))
}
