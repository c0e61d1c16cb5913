//! `dcmp device logs`

use anyhow::Result;
use protocol::rest::devices::{Logs, LogsPending};
use reqwest::StatusCode;

use crate::{
    client::Connection,
    exit::{Exit, error},
    output,
};

/// Shows what a device of yours said last
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp device logs laptop
  dcmp device logs laptop --lines 1000 --level warn
  dcmp device logs laptop --json | jq -r '.logs[].message'")]
pub(crate) struct Args {
    /// An id, or a name that no other device has
    device: String,
    /// The newest so many lines, 1 to 1000
    #[arg(long, default_value_t = 100)]
    lines: u32,
    /// The least serious level: `trace`, `debug`, `info`, `warn` or `error`; or `all`
    #[arg(long, default_value = "all")]
    level: String,
    /// The API's JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: Args) -> Result<Exit> {
    let client = args.connection.client()?;
    let id = client.device_id(&args.device).await?;
    let lines = args.lines.to_string();
    let query = [("lines", lines.as_str()), ("level", args.level.as_str())];
    let answer = client.ask(&["devices", &id, "logs"], &query).await?;
    if args.json {
        output::print(&answer.text)?;
    } else if answer.status == StatusCode::ACCEPTED {
        let pending: LogsPending = answer.read()?;
        let message = format!("the device has not answered; look at {} later", pending.poll_url);
        return Err(error(Exit::Failed, message));
    } else {
        let logs: Logs = answer.read()?;
        for line in &logs.logs {
            let text = format!("{} {:<5} {}", line.time, line.level.name(), line.message);
            output::print(&output::clean(&text))?;
        }
    }
    Ok(Exit::Done)
}
