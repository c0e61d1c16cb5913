//! `dcmp infer`

mod input;

use std::{
    fs,
    io::{IsTerminal, Read, stdin},
    path::Path,
};

use anyhow::{Context, Result};
use protocol::rest::{
    inference::{Accepted, Options, Request},
    models::Summary,
};
use reqwest::StatusCode;
use serde_json::value::RawValue;

use super::job;
use crate::{
    client::{Client, Connection},
    exit::{Exit, usage},
    output,
};

/// Runs a model on one input
#[derive(clap::Args)]
#[command(
    after_help = "The input is JSON: a tensor {\"data\": [1, 2], \"shape\": [1, 2]}, for models with several inputs
{\"inputs\": {\"a\": tensor, \"b\": tensor}}, or a plain list such as [1, 2] or [[1, 2], [3, 4]], whose
shape is found from its nesting and the model's input.

Examples:
  dcmp infer digits --input image.json
  dcmp infer iris --input '[5.1, 3.5, 1.4, 0.2]'
  jq .pixels image.json | dcmp infer digits --input - --json | jq .result.data
  dcmp infer digits --input image.json --async      then `dcmp job show ID`

Exit code 4 when the job fails, 5 when it goes on after --timeout; with --async going on is success."
)]
pub(crate) struct Args {
    /// The model's id, or its name if no other has it; a version behind @
    model: String,
    /// A file with the input, `-` for standard input, or the JSON itself
    #[arg(short, long, value_name = "FILE|-|JSON")]
    input: Option<String>,
    /// Do not wait: print the job's id and end
    #[arg(long = "async")]
    run_async: bool,
    /// How long to wait for the result, in milliseconds, at most 25 000 [default: 20 000]
    #[arg(long, value_name = "MS")]
    timeout: Option<u64>,
    /// Where it may run: `own`, `shared` or `platform` [default: as the model says]
    #[arg(long)]
    placement: Option<String>,
    /// A repetition with the same key runs nothing twice
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// The API's JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    let text = read(args.input.as_deref())?;
    let given = input::parse(&text).map_err(|fault| usage(format!("the input {fault}")))?;
    let client = args.connection.client()?;
    let (model, version) = client.model_version(&args.model).await?;
    let request = Request {
        input: tensor(given, &client, &model).await?,
        model_id: version.map_or_else(|| model.clone(), |version| format!("{model}@{version}")),
        run_async: args.run_async,
        project_id: None,
        options: Options { timeout: args.timeout, ..Options::default() },
        placement: args.placement,
    };
    let key = args.idempotency_key.as_deref();
    let answer = client.post(&["inference"], &request, key).await?;
    if answer.status != StatusCode::ACCEPTED {
        return job::report(&answer, args.json);
    }
    if args.json {
        output::print(&answer.text)?;
    } else {
        let accepted: Accepted = answer.read()?;
        let rows = [("job", accepted.job_id.clone()), ("status", accepted.status)];
        output::print(&output::fields(&rows))?;
        output::say(format_args!("Ask for the result with `dcmp job show {}`.", accepted.job_id));
    }
    Ok(if args.run_async { Exit::Done } else { Exit::Running })
}

fn read(given: Option<&str>) -> Result<String> {
    match given {
        Some(json) if json.trim_start().starts_with(['{', '[']) => Ok(json.to_owned()),
        Some("-") => from_stdin(),
        Some(path) => fs::read_to_string(Path::new(path))
            .map_err(|error| usage(format!("cannot read {path}: {error}"))),
        None if stdin().is_terminal() => {
            Err(usage("no input: give --input with a file, `-` for standard input, or JSON"))
        }
        None => from_stdin(),
    }
}

fn from_stdin() -> Result<String> {
    let mut text = String::new();
    stdin().read_to_string(&mut text).context("cannot read standard input")?;
    Ok(text)
}

/// What the API takes; a list needs the model to know its shape.
async fn tensor(given: input::Input, client: &Client, model: &str) -> Result<Box<RawValue>> {
    match given {
        input::Input::Tensors(raw) => Ok(raw),
        input::Input::List(list) => {
            let model: Summary = client.get(&["models", model]).await?.read()?;
            list.tensor(&model.inputs).map_err(|fault| usage(format!("the input {fault}")))
        }
    }
}
