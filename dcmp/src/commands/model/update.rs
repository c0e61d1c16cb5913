//! `dcmp model update`

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::value::{RawValue, to_raw_value};

use super::{fields, show};
use crate::{client::Connection, exit::usage, output};

/// Changes a model's name, placement, schemas, labels and adapters; its files stay
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp model update digits --name numbers
  dcmp model update digits --labels zero,one,two --postprocessing top_k_labels
  dcmp model update digits --input-schema schema.json --clear preprocessing --clear labels")]
pub(super) struct Args {
    /// The model's id, or its name if no other has it
    model: String,
    /// What to call it from now on
    #[arg(long)]
    name: Option<String>,
    /// Where it may run: `own` devices, `shared` ones too, or only the `platform`
    #[arg(long)]
    placement: Option<String>,
    /// JSON Schema of the input
    #[arg(long, visible_alias = "schema", value_name = "FILE")]
    input_schema: Option<PathBuf>,
    /// JSON Schema of the output
    #[arg(long, value_name = "FILE")]
    output_schema: Option<PathBuf>,
    /// Names of the classes: a,b,c or a file with a JSON list or one on each line
    #[arg(long, value_name = "FILE|LIST")]
    labels: Option<String>,
    /// Adapter before the model
    #[arg(long, visible_alias = "pre", value_name = "ADAPTER")]
    preprocessing: Option<String>,
    /// Adapter behind the model
    #[arg(long, visible_alias = "post", value_name = "ADAPTER")]
    postprocessing: Option<String>,
    /// Take this away again; may be given several times
    #[arg(long, value_name = "FIELD")]
    clear: Vec<Field>,
    /// The API's JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

/// What can be cleared.
#[derive(Clone, Copy, ValueEnum)]
enum Field {
    InputSchema,
    OutputSchema,
    Labels,
    Preprocessing,
    Postprocessing,
    Placement,
}

impl Field {
    /// The API's name of it.
    fn name(self) -> &'static str {
        match self {
            Self::InputSchema => "input_schema",
            Self::OutputSchema => "output_schema",
            Self::Labels => "labels",
            Self::Preprocessing => "preprocessing",
            Self::Postprocessing => "postprocessing",
            Self::Placement => "placement",
        }
    }
}

pub(super) async fn run(args: Args) -> Result<()> {
    let body = body(&args)?;
    let client = args.connection.client()?;
    let id = client.model_id(&args.model).await?;
    let answer = client.patch(&["models", &id, "schema"], &body).await?;
    if args.json {
        return output::print(&answer.text);
    }
    output::print(&show::text(&answer.read()?))
}

/// The fields that change, as they are written: the order of a schema's properties counts.
fn body(args: &Args) -> Result<BTreeMap<&'static str, Box<RawValue>>> {
    let json = |what: &str, text: String| -> Result<Box<RawValue>> {
        let read = serde_json::from_str(&text).with_context(|| format!("{what} is no JSON"));
        read.map_err(|error| usage(format!("{error:#}")))
    };
    let schema = |path: &PathBuf| json(&path.display().to_string(), fields::read(path)?);
    let text = |given: &Option<String>| given.as_ref().map(to_raw_value).transpose();
    let given = [
        ("name", text(&args.name)?),
        ("placement", text(&args.placement)?),
        ("input_schema", args.input_schema.as_ref().map(schema).transpose()?),
        ("output_schema", args.output_schema.as_ref().map(schema).transpose()?),
        ("preprocessing", text(&args.preprocessing)?),
        ("postprocessing", text(&args.postprocessing)?),
    ];
    let mut body: BTreeMap<_, _> =
        given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    if let Some(labels) = &args.labels {
        body.insert("labels", json(labels, fields::labels(labels)?)?);
    }
    for field in &args.clear {
        let name = field.name();
        let before = body.insert(name, to_raw_value(&())?);
        if before.is_some_and(|before| before.get() != "null") {
            return Err(usage(format!("{name} is given and cleared; do one of the two")));
        }
    }
    if body.is_empty() {
        return Err(usage("nothing to change; say what with flags such as --name or --labels"));
    }
    Ok(body)
}
