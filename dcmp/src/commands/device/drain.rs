//! `dcmp device drain`

use anyhow::Result;
use protocol::rest::devices::Device;

use crate::{client::Connection, exit::Exit, output};

/// Has a device of yours finish its work and leave
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp device drain laptop

It gets nothing new from now on and ends when its work is done. Doing it again does no harm.")]
pub(crate) struct Args {
    /// An id, or a name that no other device has
    device: String,
    /// The API's JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: Args) -> Result<Exit> {
    let client = args.connection.client()?;
    let id = client.device_id(&args.device).await?;
    let answer = client.act(&["devices", &id, "drain"]).await?;
    if args.json {
        output::print(&answer.text)?;
    } else {
        let device: Device = answer.read()?;
        output::say(format_args!("{} is {}", device.id, device.status));
    }
    Ok(Exit::Done)
}
