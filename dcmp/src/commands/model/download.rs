//! `dcmp model download`

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use futures::StreamExt;
use protocol::rest::models::Summary;
use reqwest::Response;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::{
    client::Connection,
    exit::{Exit, error, usage},
    output, progress,
};

/// Downloads a model's file and checks it against its checksum
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp model download digits                  saves digits.onnx here
  dcmp model download digits@1                its first version
  dcmp model download digits -o copies/       into a folder
  dcmp model download digits -o - | sha256sum")]
pub(super) struct Args {
    /// The model's id, or its name if no other has it; with @2 its second version
    model: String,
    /// Where to; `-` is standard output [default: the model's name, if no file has it]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The API's JSON about the model
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: Args) -> Result<()> {
    let to_stdout = args.output.as_deref() == Some(Path::new("-"));
    if to_stdout && args.json {
        return Err(usage("--json and --output - would both write to standard output"));
    }
    let client = args.connection.client()?;
    let reference = client.model_reference(&args.model).await?;
    let about = client.get(&["models", &reference]).await?;
    let model: Summary = about.read()?;
    if to_stdout {
        // nothing is given on before it is known to be right
        let mut file = tempfile::tempfile().context("cannot make a temporary file")?;
        save(client.download(&reference).await?, &model, &mut file).await?;
        return copy_out(file);
    }
    let target = target(args.output, &model)?;
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    let made =
        tempfile::Builder::new().prefix(".dcmp-").permissions(ordinary()).tempfile_in(folder);
    let mut file: NamedTempFile =
        made.map_err(|error| usage(format!("cannot write to {}: {error}", folder.display())))?;
    save(client.download(&reference).await?, &model, file.as_file_mut()).await?;
    file.persist(&target)
        .map_err(|error| usage(format!("cannot write {}: {}", target.display(), error.error)))?;
    if args.json {
        return output::print(&about.text);
    }
    output::print(&target.display().to_string())
}

/// What `umask` makes of a file that anybody may read.
fn ordinary() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o666)
}

fn target(given: Option<PathBuf>, model: &Summary) -> Result<PathBuf> {
    if let Some(path) = given {
        if path.is_dir() {
            return Ok(path.join(file_name(model)));
        }
        return Ok(path);
    }
    let path = PathBuf::from(file_name(model));
    if path.exists() {
        let message = format!("{} is there already; choose a file with -o", path.display());
        return Err(usage(message));
    }
    Ok(path)
}

/// The model's name as a file's name: a name from elsewhere must not choose the folder.
fn file_name(model: &Summary) -> String {
    let tame = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ');
    let name: String = model.name.chars().map(|c| if tame(c) { c } else { '_' }).collect();
    let name = name.trim_start_matches(['.', '-', ' ']);
    let extension = match model.format.as_str() {
        "torchscript" => ".pt".to_owned(),
        format => format!(".{format}"),
    };
    match name.strip_suffix(&extension).unwrap_or(name) {
        "" => format!("{}{extension}", model.id),
        stem => format!("{stem}{extension}"),
    }
}

/// Writes the answer to `file`; fails when it is not what the model's checksum says.
async fn save(response: Response, model: &Summary, file: &mut std::fs::File) -> Result<()> {
    let bar = progress::transfer(format!("downloading {}", model.name), model.size);
    let mut hash = Sha256::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.context("the download broke off; try again")?;
        hash.update(&chunk);
        file.write_all(&chunk).context("cannot write the file")?;
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    if format!("sha256:{}", hex::encode(hash.finalize())) != model.checksum {
        let message = "the file does not have the model's checksum; nothing was saved, try again";
        return Err(error(Exit::Failed, message));
    }
    Ok(())
}

fn copy_out(mut file: std::fs::File) -> Result<()> {
    use std::io::{Read, Seek};
    file.rewind()?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return output::flush(),
            n => output::bytes(&buffer[..n])?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Summary {
        Summary {
            id: "model_1".into(),
            name: name.into(),
            format: "onnx".into(),
            size: 0,
            checksum: String::new(),
            version: 1,
            revision: 1,
            status: "ready".into(),
            reason: None,
            uploaded_at: String::new(),
            input_shape: None,
            output_shape: None,
            inputs: Vec::new(),
            outputs: Vec::new(),
            warnings: Vec::new(),
            profile: None,
            preprocessing: None,
            postprocessing: None,
            placement: "own".into(),
        }
    }

    #[test]
    fn a_name_never_leads_out_of_the_folder() {
        for (name, file) in [
            ("digits", "digits.onnx"),
            ("digits.onnx", "digits.onnx"),
            ("../../etc/passwd", "_.._etc_passwd.onnx"),
            ("-rf", "rf.onnx"),
            ("..", "model_1.onnx"),
            (".onnx", "onnx.onnx"),
        ] {
            assert_eq!(file_name(&named(name)), file);
        }
    }
}
