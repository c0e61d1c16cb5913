//! `dcmp model upload`

mod parts;

use std::path::PathBuf;

use anyhow::Result;
use protocol::rest::models::Model;

use self::parts::Upload;
use super::{fields, show};
use crate::{
    client::Connection,
    exit::usage,
    output,
    parts::{AT_ONCE, open, stream},
};

/// Uploads a model; the platform checks it before it accepts it
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp model upload digits.onnx
  dcmp model upload net.onnx --name cats --placement shared --labels classes.txt
  dcmp model upload better.onnx --version-of cats
  dcmp model upload net.onnx --input-shape N,3,224,224 --json | jq -r .id

A file over 4 MB goes in parts. When that is interrupted, run the same command again, wherever you
are: what is there is not sent twice.")]
pub(super) struct Args {
    /// The model: an ONNX file with its weights in it, or a TorchScript archive (`.pt`)
    file: PathBuf,
    /// What to call it [default: the file's name]
    #[arg(long)]
    name: Option<String>,
    /// `onnx` [default: from the file's extension]
    #[arg(long)]
    format: Option<String>,
    /// Where it may run: `own` devices (default), `shared` ones too, or only the `platform`
    #[arg(long)]
    placement: Option<String>,
    /// What the input must be in the file, such as 1,10; N is any size
    #[arg(long, value_name = "SHAPE")]
    input_shape: Option<String>,
    /// What the output must be in the file
    #[arg(long, value_name = "SHAPE")]
    output_shape: Option<String>,
    /// Names of the classes: a,b,c or a file with a JSON list or one on each line
    #[arg(long, value_name = "FILE|LIST")]
    labels: Option<String>,
    /// JSON Schema of the input
    #[arg(long, value_name = "FILE")]
    input_schema: Option<PathBuf>,
    /// JSON Schema of the output
    #[arg(long, value_name = "FILE")]
    output_schema: Option<PathBuf>,
    /// Adapter before the model: `image_classification`, `tabular`, `text_tokens`, `passthrough`
    #[arg(long, value_name = "ADAPTER")]
    preprocessing: Option<String>,
    /// Adapter behind the model: `top_k_labels`, `binary_classification`, `regression`, `passthrough`
    #[arg(long, value_name = "ADAPTER")]
    postprocessing: Option<String>,
    /// Make it the next version of this model, an id or a name; name, labels and the like stay the
    /// model's
    #[arg(long, value_name = "MODEL")]
    version_of: Option<String>,
    /// In parts, as a large file goes in any case
    #[arg(long)]
    parts: bool,
    /// The API's JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: Args) -> Result<()> {
    let mut fields = form(&args)?;
    let client = args.connection.client()?;
    let version_of = match &args.version_of {
        Some(model) => Some(client.model_id(model).await?),
        None => None,
    };
    let (file, size) = open(&args.file).await?;
    let answer = if args.parts || size > AT_ONCE {
        let stem = args.file.file_stem().unwrap_or_default().to_string_lossy();
        let name = args.name.as_deref().unwrap_or(&stem).trim().to_owned();
        let path = &args.file;
        Upload { client: &client, path, size, name, version_of, fields }.run().await?
    } else {
        fields.extend(version_of.map(|id| ("version_of", id)));
        client.upload("models", "model", stream(file, size, &args.file), &fields).await?
    };
    if args.json {
        return output::print(&answer.text);
    }
    let model: Model = answer.read()?;
    output::print(&show::text(&model))?;
    output::say(format_args!("Run it with `dcmp infer {} --input INPUT.json`.", model.summary.id));
    Ok(())
}

/// The form's fields beside the file.
fn form(args: &Args) -> Result<Vec<(&'static str, String)>> {
    let given = [
        ("name", args.name.clone()),
        ("format", args.format.clone()),
        ("placement", args.placement.clone()),
        ("input_shape", args.input_shape.as_deref().map(shape).transpose()?),
        ("output_shape", args.output_shape.as_deref().map(shape).transpose()?),
        ("labels", args.labels.as_deref().map(fields::labels).transpose()?),
        ("input_schema", args.input_schema.as_deref().map(fields::read).transpose()?),
        ("output_schema", args.output_schema.as_deref().map(fields::read).transpose()?),
        ("preprocessing", args.preprocessing.clone()),
        ("postprocessing", args.postprocessing.clone()),
    ];
    Ok(given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}

/// The API's `[null, 10]` for what shells do not need to quote: `N,10`.
fn shape(text: &str) -> Result<String> {
    let inner = text.trim().trim_start_matches('[').trim_end_matches(']');
    let dim = |dim: &str| match dim.trim() {
        "N" | "n" | "?" | "-1" | "null" => Ok("null".to_owned()),
        size => size.parse::<usize>().map(|size| size.to_string()),
    };
    let dims: std::result::Result<Vec<_>, _> = inner.split(',').map(dim).collect();
    let wrong = |_| usage(format!("`{text}` is no shape; give sizes such as 1,10 or N,10"));
    Ok(format!("[{}]", dims.map_err(wrong)?.join(",")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn shapes_need_no_quotes() {
        for (given, sent) in [
            ("1,10", "[1,10]"),
            ("N, 64", "[null,64]"),
            ("[-1, 10]", "[null,10]"),
            ("[null,10]", "[null,10]"),
            ("7", "[7]"),
        ] {
            assert_eq!(shape(given).unwrap(), sent);
        }
        for wrong in ["", "1x10", "1,,2", "-2", "cat"] {
            assert!(shape(wrong).unwrap_err().to_string().contains("such as 1,10"), "{wrong}");
        }
    }
}
