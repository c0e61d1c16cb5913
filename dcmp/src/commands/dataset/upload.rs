//! `dcmp dataset upload`

use std::path::{Path, PathBuf};

use anyhow::Result;
use protocol::rest::datasets::{Begun, Dataset, NewDataset, Summary};

use super::{folder, show};
use crate::{
    client::{Answer, Client, Connection},
    exit::{Exit, error, usage},
    output,
    parts::{self, AT_ONCE, Parts, Progress},
};

/// Uploads datasets; the platform reads them before it accepts them
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp dataset upload iris.csv
  dcmp dataset upload train.npz test.npz --days 90
  dcmp dataset upload pets/               a folder of images, in folders named as their labels
  dcmp dataset upload rows.txt --format ndjson --json | jq -r .id

A file over 4 MB goes in parts. When that is interrupted, run the same command again, wherever you
are: what is there is not sent twice.")]
pub(super) struct Args {
    /// CSV, NDJSON, NPY, NPZ, safetensors, a zip archive or a folder of images
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// What to call it [default: the file's name]
    #[arg(long)]
    name: Option<String>,
    /// `csv`, `ndjson`, `npy`, `npz`, `safetensors` or `images` [default: from the file]
    #[arg(long)]
    format: Option<String>,
    /// How many days it is kept [default: 30]
    #[arg(long)]
    days: Option<u64>,
    /// In parts, as a large file goes in any case
    #[arg(long)]
    parts: bool,
    /// The API's JSON; of several files one document after the other
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: Args) -> Result<()> {
    if args.name.is_some() && args.files.len() > 1 {
        return Err(usage("--name is for one file; without it each is called as its file"));
    }
    let client = args.connection.client()?;
    for given in &args.files {
        let packed = if given.is_dir() { Some(folder::pack(given)?) } else { None };
        let stem = given.file_stem().unwrap_or_default().to_string_lossy();
        let file = Upload {
            path: packed.as_ref().map_or(given.as_path(), |packed| packed.path()),
            called: parts::shown(given),
            name: args.name.as_deref().unwrap_or(&stem).trim().to_owned(),
            format: if packed.is_some() { Some("images".to_owned()) } else { args.format.clone() },
            days: args.days,
            in_parts: args.parts,
        };
        let answer = file.upload(&client).await?;
        if args.json {
            output::print(&answer.text)?;
        } else {
            output::print(&show::text(&answer.read::<Dataset>()?))?;
        }
    }
    Ok(())
}

/// A file that is to be a dataset.
pub(in crate::commands) struct Upload<'a> {
    /// Where it is.
    pub(in crate::commands) path: &'a Path,
    /// What its owner calls the file.
    pub(in crate::commands) called: String,
    /// What the dataset is to be called.
    pub(in crate::commands) name: String,
    /// By default what the file is.
    pub(in crate::commands) format: Option<String>,
    /// How long it is kept.
    pub(in crate::commands) days: Option<u64>,
    /// In parts, however small it is.
    pub(in crate::commands) in_parts: bool,
}

impl Upload<'_> {
    /// Uploads it, and waits until the platform has read it; the answer is the dataset.
    pub(in crate::commands) async fn upload(self, client: &Client) -> Result<Answer> {
        let Self { path, called, name, format, days, in_parts: all_in_parts } = self;
        let (file, size) = parts::open(path).await?;
        if all_in_parts || size > AT_ONCE {
            let new = NewDataset {
                size,
                file_name: Some(called),
                name: Some(name),
                format,
                ttl_days: days,
                ..NewDataset::default()
            };
            return parts::resumable(in_parts(client, path, new)).await;
        }
        let mut fields = vec![("name", name)];
        fields.extend(format.map(|format| ("format", format)));
        fields.extend(days.map(|days| ("ttl_days", days.to_string())));
        let file = parts::stream(file, size, Path::new(&called));
        client.upload("datasets", "file", file, &fields).await
    }
}

async fn in_parts(client: &Client, path: &Path, mut new: NewDataset) -> Result<Answer> {
    new.checksum = parts::checksum(path, new.size).await?;
    let (id, part_size) = match unfinished(client, path, &new).await? {
        Some(known) => known,
        None => {
            let begun: Begun = client.post(&["datasets"], &new, None).await?.read()?;
            (begun.id, begun.upload.part_size)
        }
    };
    let parts = Parts { client, path, size: new.size, place: ["datasets", &id], part_size };
    let is_judged = |dataset: &Summary| match dataset.status.as_str() {
        "rejected" => {
            let why = dataset.error.as_deref().unwrap_or("no reason was given");
            Err(error(Exit::Refused, format!("the dataset was rejected: {why}")))
        }
        status => Ok(status == "ready"),
    };
    parts.through(is_judged).await
}

/// The upload of this file that somebody began and did not finish: its id and the size of its parts.
async fn unfinished(
    client: &Client,
    path: &Path,
    new: &NewDataset,
) -> Result<Option<(String, u64)>> {
    let datasets = client.list::<Summary>(&["datasets"], "datasets", None).await?.items()?;
    let is_open = |status: &str| matches!(status, "uploading" | "validating");
    let same = |dataset: &Summary| {
        let Summary { status, checksum, name, format, .. } = dataset;
        let format = new.format.as_ref().is_none_or(|wanted| wanted == format);
        is_open(status) && *checksum == new.checksum && Some(name) == new.name.as_ref() && format
    };
    for id in datasets.into_iter().filter(same).map(|dataset| dataset.id) {
        let file = (new.size, new.checksum.as_str());
        let found = parts::unfinished(client, ["datasets", &id], path, file).await?;
        if let Some(found) = found {
            let part_size = found.read::<Progress>()?.part_size;
            return Ok(Some((id, part_size)));
        }
    }
    Ok(None)
}
