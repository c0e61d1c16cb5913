//! `dcmp infer`

pub(super) mod input;
pub(super) mod words;

use std::{
    fs,
    io::{IsTerminal, Read, stdin},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use protocol::rest::{
    inference::{Accepted, Options, Request},
    models::Model,
};
use reqwest::StatusCode;
use serde_json::value::RawValue;

use super::jobs::single;
use crate::{
    client::{Client, Connection},
    exit::{Exit, usage},
    output,
};

/// Runs a model on one input
#[derive(clap::Args)]
#[command(after_help = "For models with adapters: an image, a row of features, a text.

  dcmp infer flowers --image rose.jpg lily.png
  dcmp infer iris --rows measured.csv
  dcmp infer mood --text 'I am very pleased'

The first line of a CSV file names the features. For all models the input is JSON: what the adapter takes, or a tensor {\"data\": [1, 2], \"shape\": [1, 2]}, for models with several inputs
{\"inputs\": {\"a\": tensor, \"b\": tensor}}, or a plain list such as [1, 2] or [[1, 2], [3, 4]], whose
shape is found from its nesting and the model's input.

Examples:
  dcmp infer digits --input image.json
  dcmp infer iris --input '[5.1, 3.5, 1.4, 0.2]'
  jq .pixels image.json | dcmp infer digits --input - --json | jq .result.data
  dcmp infer digits --input image.json --async      then `dcmp jobs show ID`

Exit code 4 when the job fails, 5 when it goes on after --timeout; with --async going on is success.")]
pub(crate) struct Args {
    /// The model's id, or its name if no other has it; a version behind @
    model: String,
    /// A file with the input, `-` for standard input, or the JSON itself
    #[arg(short, long, value_name = "FILE|-|JSON", group = "source")]
    input: Option<String>,
    /// Images: JPEG, PNG or WebP
    #[arg(long, value_name = "FILE", num_args = 1.., group = "source")]
    image: Vec<PathBuf>,
    /// A table of features, `-` for standard input
    #[arg(long, value_name = "FILE.csv", group = "source")]
    rows: Option<PathBuf>,
    /// A text; more than once for several
    #[arg(long, value_name = "TEXT", group = "source")]
    text: Vec<String>,
    /// Tensors in and out, whatever adapters the model has
    #[arg(long)]
    raw: bool,
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
    let given = given(&args)?;
    let client = args.connection.client()?;
    let model = client.model_reference(&args.model).await?;
    let request = Request {
        input: ready(given, &client, &model, args.raw).await?,
        raw: args.raw.then_some(true),
        model_id: model,
        run_async: args.run_async,
        project_id: None,
        options: Options { timeout: args.timeout, ..Options::default() },
        placement: args.placement,
    };
    let key = args.idempotency_key.as_deref();
    let answer = client.post(&["inference"], &request, key).await?;
    if answer.status != StatusCode::ACCEPTED {
        return single::report(&answer, args.json);
    }
    if args.json {
        output::print(&answer.text)?;
    } else {
        let accepted: Accepted = answer.read()?;
        let rows = [("job", accepted.job_id.clone()), ("status", accepted.status)];
        output::print(&output::fields(&rows))?;
        output::say(format_args!("Ask for the result with `dcmp jobs show {}`.", accepted.job_id));
    }
    Ok(if args.run_async { Exit::Done } else { Exit::Running })
}

/// What the arguments give.
fn given(args: &Args) -> Result<Given> {
    let fault = |fault: String| usage(format!("the input {fault}"));
    if !args.image.is_empty() {
        return Ok(Given::Words(words::images(&args.image)?));
    }
    if !args.text.is_empty() {
        return Ok(Given::Words(words::texts(&args.text)?));
    }
    if let Some(path) = &args.rows {
        let text = match path.to_str() {
            Some("-") => from_stdin()?,
            _ => fs::read_to_string(path)
                .map_err(|error| usage(format!("cannot read {}: {error}", path.display())))?,
        };
        return Ok(Given::Table(words::Table::parse(&text).map_err(fault)?));
    }
    let text = read(args.input.as_deref())?;
    Ok(Given::Input(text))
}

/// An input, as far as it is known without its model.
enum Given {
    /// What an adapter takes.
    Words(Box<RawValue>),
    /// A table whose columns the model knows.
    Table(words::Table),
    /// JSON.
    Input(String),
}

fn read(given: Option<&str>) -> Result<String> {
    match given {
        Some(json) if json.trim_start().starts_with(['{', '[']) => Ok(json.to_owned()),
        Some("-") => from_stdin(),
        Some(path) => fs::read_to_string(Path::new(path))
            .map_err(|error| usage(format!("cannot read {path}: {error}"))),
        None if stdin().is_terminal() => Err(usage(
            "no input: give --image, --rows, --text, or --input with a file, `-` for standard input, or JSON",
        )),
        None => from_stdin(),
    }
}

fn from_stdin() -> Result<String> {
    let mut text = String::new();
    stdin().read_to_string(&mut text).context("cannot read standard input")?;
    Ok(text)
}

/// What the API takes; a list and a table need the model to know their form.
async fn ready(given: Given, client: &Client, model: &str, raw: bool) -> Result<Box<RawValue>> {
    let fault = |fault: String| usage(format!("the input {fault}"));
    let text = match given {
        Given::Words(input) => return Ok(input),
        Given::Table(table) => {
            let model: Model = client.get(&["models", model]).await?.read()?;
            return table.rows(model.input_schema.as_ref());
        }
        Given::Input(text) => text,
    };
    if text.trim().is_empty() {
        return Err(fault("is empty".to_owned()));
    }
    let parsed = input::parse(&text);
    if let Ok(input::Input::Tensors(input)) = parsed {
        return Ok(input);
    }
    let json = RawValue::from_string(text.trim().to_owned())
        .map_err(|error| fault(format!("is not JSON ({error})")))?;
    let model: Model = client.get(&["models", model]).await?.read()?;
    let adapter = model.summary.preprocessing.filter(|name| name != "passthrough");
    match parsed {
        // a list may be rows, images or token ids
        _ if adapter.is_some() && !raw => Ok(json),
        Ok(input::Input::List(list)) => list.tensor(&model.summary.inputs).map_err(fault),
        Ok(input::Input::Tensors(input)) => Ok(input),
        Err(reason) => Err(fault(reason)),
    }
}
