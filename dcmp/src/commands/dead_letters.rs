//! `dcmp dead-letters`: the operator's part, messages that failed too often.

use anyhow::Result;
use clap::Subcommand;
use protocol::rest::admin::{DeadLetters, Redrive, Redriven};

use crate::{
    client::AdminConnection,
    exit::Exit,
    output::{self, Align},
};

/// Shows messages between the platform's parts that failed too often, and tries them again; needs the
/// operator's key
#[derive(clap::Args)]
#[command(after_help = "Examples:
  dcmp dead-letters list
  dcmp dead-letters redrive --queue work")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    List(List),
    Redrive(Again),
}

/// Shows some of each queue, with what became of the work that they name
#[derive(clap::Args)]
struct List {
    /// The API's JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: AdminConnection,
}

/// Puts them back into their queues; once the cause is gone they are done
#[derive(clap::Args)]
struct Again {
    /// Of this queue only: work, batches, sessions or uploads
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// The API's JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: AdminConnection,
}

pub(crate) async fn run(args: Args) -> Result<Exit> {
    match args.command {
        Command::List(args) => list(args).await?,
        Command::Redrive(args) => redrive(args).await?,
    }
    Ok(Exit::Done)
}

async fn list(args: List) -> Result<()> {
    let answer = args.connection.client()?.get(&["admin", "dead-letters"]).await?;
    if args.json {
        return output::print(&answer.text);
    }
    let DeadLetters { letters } = answer.read()?;
    if letters.is_empty() {
        output::say("There are none.");
        return Ok(());
    }
    let rows: Vec<_> = letters
        .iter()
        .map(|letter| {
            let about = output::or_dash(letter.about.as_deref());
            vec![letter.queue.clone(), letter.body.to_string(), about]
        })
        .collect();
    let header = ["queue", "message", "about"];
    output::print(&output::table(&header.map(|title| (title, Align::Left)), &rows))
}

async fn redrive(args: Again) -> Result<()> {
    let client = args.connection.client()?;
    let again = Redrive { queue: args.queue };
    let answer = client.post(&["admin", "dead-letters", "redrive"], &again, None).await?;
    if args.json {
        return output::print(&answer.text);
    }
    let Redriven { moved } = answer.read()?;
    output::say(format_args!("{} put back", output::count(moved, "message")));
    Ok(())
}
