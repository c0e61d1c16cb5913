//! `dcmp jobs results`, and the results of a batch that was waited for: read line by line, also after
//! the connection was lost, and written as lines, a table or arrays.

mod csv;
mod destination;
mod npz;
mod values;

use std::{path::PathBuf, time::Duration};

use anyhow::Result;
use futures::StreamExt;
use protocol::rest::batch::{Batch, Item};

use self::{csv::Csv, destination::Destination, npz::Npz};
use super::{goes_on, is_batch, judge};
use crate::{
    client::{Client, Connection},
    exit::{self as exits, Exit, usage},
    output, progress,
};

/// How often reading is tried without a single new result.
const TRIES: u32 = 6;

/// Before the second try; then twice as long each time.
const PAUSE: Duration = Duration::from_millis(500);

/// Gets the results of a batch, as far as they are there
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp jobs results batch_019aa5d3f0007cc3b5b0d5a3c2e1f004 | jq .result
  dcmp jobs results batch_019aa5d3f0007cc3b5b0d5a3c2e1f004 --output answers.csv
  dcmp jobs results batch_019aa5d3f0007cc3b5b0d5a3c2e1f004 --output answers.npz

Results are in the order of the inputs. NDJSON: a line for each as the API gives it. CSV: index, status,
the numbers of the outputs, or label and score (of several predictions the best), error. NPZ: for each
output an array with a row for each input, `output` when the model has one; where `ok` is false, the
row is NaN, or 0 of integers.")]
pub(super) struct Args {
    /// The batch's id
    job: String,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    connection: Connection,
}

/// Where results go, and how.
#[derive(clap::Args)]
pub(in crate::commands) struct Target {
    /// Where the results go [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::commands) output: Option<PathBuf>,
    /// How they are written [default: as the file's extension says, else ndjson]
    #[arg(long)]
    format: Option<Format>,
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A JSON object on each line
    Ndjson,
    /// A table
    Csv,
    /// NumPy's arrays
    Npz,
}

/// What makes of the results, one after the other, what is written.
enum Sink {
    Ndjson,
    Csv(Csv),
    Npz(Npz),
}

pub(super) async fn run(args: Args) -> Result<Exit> {
    args.target.check()?;
    if !is_batch(&args.job) {
        let job = args.job;
        return Err(usage(format!("`{job}` is no batch; `dcmp jobs show {job}` has its result")));
    }
    let client = args.connection.client()?;
    write(&client, &args.job, &args.target).await
}

/// Writes the results that a batch has; how the command ends follows from the batch.
pub(in crate::commands) async fn write(client: &Client, id: &str, target: &Target) -> Result<Exit> {
    let batch: Batch = client.ask(&["inference", id], &[("limit", "1")]).await?.read()?;
    let mut destination = Destination::open(target.output.as_deref())?;
    let mut sink = Sink::new(target.read_format()?, batch.progress.total);
    let over = batch.progress.completed + batch.progress.failed;
    let bar = progress::rate("reading results", over);
    let mut written = Vec::new();
    let each = |line: &[u8]| {
        written.clear();
        sink.add(line, &mut written)?;
        bar.inc(1);
        destination.write(&written)
    };
    let read = read(client, id, each).await?;
    bar.finish_and_clear();
    let mut rest = Vec::new();
    sink.finish(&mut rest)?;
    destination.write(&rest)?;
    destination.finish()?;
    if let Some(path) = &target.output {
        let results = output::count(read, "result");
        output::say(format_args!("{results} in {}", path.display()));
    }
    let exit = judge(&batch);
    if exit == Exit::Running {
        output::say(format_args!("dcmp: these are the results so far; {}", goes_on(id)));
    }
    Ok(exit)
}

impl Target {
    /// # Errors
    /// When the results could not be written, before anything is done for them.
    pub(in crate::commands) fn check(&self) -> Result<()> {
        if self.read_format()? == Format::Npz && self.output.is_none() {
            return Err(usage("npz is no text; say where it goes with --output FILE.npz"));
        }
        match &self.output {
            Some(path) if path.is_dir() => {
                Err(usage(format!("{} is a folder; give a file", path.display())))
            }
            Some(path) => destination::check(path),
            None => Ok(()),
        }
    }

    fn read_format(&self) -> Result<Format> {
        let extension = self.output.as_ref().and_then(|path| path.extension()?.to_str());
        Ok(match (self.format, extension) {
            (Some(format), _) => format,
            (None, Some("csv")) => Format::Csv,
            (None, Some("npz")) => Format::Npz,
            (None, None | Some("ndjson" | "jsonl")) => Format::Ndjson,
            (None, Some(other)) => {
                let message =
                    format!("`.{other}` says no format; give --format ndjson, csv or npz");
                return Err(usage(message));
            }
        })
    }
}

impl Sink {
    /// For a batch of `total` inputs.
    fn new(format: Format, total: u64) -> Self {
        match format {
            Format::Ndjson => Self::Ndjson,
            Format::Csv => Self::Csv(Csv::default()),
            Format::Npz => Self::Npz(Npz::new(total)),
        }
    }

    /// Takes a result; what can be written now is put into `out`.
    fn add(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let item = || -> Result<Item> { Ok(serde_json::from_slice(line)?) };
        match self {
            Self::Ndjson => {
                out.extend_from_slice(line);
                out.push(b'\n');
                Ok(())
            }
            Self::Csv(csv) => csv.add(&item()?, out),
            Self::Npz(npz) => npz.add(&item()?),
        }
    }

    fn finish(self, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Ndjson => Ok(()),
            Self::Csv(csv) => csv.finish(out),
            Self::Npz(npz) => npz.finish(out),
        }
    }
}

/// Gives every line of a batch's results to `each`, once; how many there were.
async fn read(client: &Client, id: &str, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<u64> {
    let (mut cursor, mut seen, mut all): (Option<String>, u64, u64) = (None, 0, 0);
    let (mut tries, mut pause) = (1, PAUSE);
    loop {
        let mut new = 0;
        let piece = piece(client, id, cursor.as_deref(), seen, |line| {
            each(line)?;
            new += 1;
            Ok(())
        });
        let ended = piece.await;
        all += new;
        match ended {
            Ok(None) => return Ok(all),
            Ok(next) => (cursor, seen) = (next, 0),
            Err(cause) if exits::of(&cause) == Exit::Failed && (new > 0 || tries < TRIES) => {
                tracing::debug!(%cause, seen, "the results are asked for again");
                if new > 0 {
                    (tries, pause) = (0, PAUSE);
                }
                tries += 1;
                seen += new;
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            Err(cause) => return Err(cause),
        }
    }
}

/// Reads one answer from `cursor` on, without the first `seen` lines; where the next one begins, if the
/// platform cut it off.
async fn piece(
    client: &Client,
    id: &str,
    cursor: Option<&str>,
    seen: u64,
    mut each: impl FnMut(&[u8]) -> Result<()>,
) -> Result<Option<String>> {
    let query: Vec<_> = cursor.map(|cursor| ("cursor", cursor)).into_iter().collect();
    let response = client.lines(&["inference", id, "results"], &query).await?;
    let next = response.headers().get("x-next-cursor").and_then(|next| next.to_str().ok());
    let next = next.map(str::to_owned);
    let (mut chunks, mut begun, mut number) = (response.bytes_stream(), Vec::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|cause| broken(&cause))?;
        let mut rest = &chunk[..];
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line = &rest[..end];
            rest = &rest[end + 1..];
            number += 1;
            if number <= seen {
                begun.clear();
            } else if begun.is_empty() {
                each(line)?;
            } else {
                begun.extend_from_slice(line);
                each(&begun)?;
                begun.clear();
            }
        }
        begun.extend_from_slice(rest);
    }
    if begun.is_empty() { Ok(next) } else { Err(broken(&"in the middle of a line")) }
}

fn broken(cause: &dyn std::fmt::Display) -> anyhow::Error {
    let message = format!("the connection broke while the results were read ({cause}); try again");
    exits::error(Exit::Failed, message)
}
